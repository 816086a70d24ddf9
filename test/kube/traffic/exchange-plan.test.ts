// lib/kube/traffic/exchange-plan.ts: the patches of an exchange, applied as the API server does (RFC 7396).
import test from 'ava'
import fc from 'fast-check'
import type { Pod, Service } from '../../../lib/kube/api/client.ts'
import {
  chooseMode,
  type Diversion,
  divertPatch,
  exchangeState,
  originalSelector,
  restorePatch
} from '../../../lib/kube/traffic/exchange-plan.ts'

/** RFC 7396, with what the API server adds: an empty map is none. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null) return patch
  const result: Record<string, unknown> = { ...(target as object) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
    const now = result[key]
    if (typeof now === 'object' && now !== null && Object.keys(now).length === 0) delete result[key]
  }
  return result
}

const apply = (service: Service, patch: object | undefined): Service =>
  (patch === undefined ? service : merge(service, patch)) as Service

const service = (selector: Record<string, string>, metadata: object = {}): Service => ({
  metadata: { name: 'web', resourceVersion: '7', ...metadata },
  spec: { selector }
})
const diversion = (mode: Diversion['mode']): Diversion => ({
  mode,
  token: 'abcde',
  annotations: { 'kt-user': 'alice', 'kt-last-heart-beat': '1' }
})
const ownedBy = (kind: string, labels = {}): Pod => ({
  metadata: { labels, ownerReferences: [{ apiVersion: 'v1', controller: true, kind, name: 'x', uid: 'u' }] }
})
const DEPLOYED = ownedBy('ReplicaSet', { 'pod-template-hash': 'h' })

test('narrow: one key more; a re-applied manifest changes nothing; undo leaves the original', t => {
  const before = service({ app: 'web', tier: 'front' }, { annotations: { note: 'x' } })
  const during = apply(before, divertPatch(before, diversion('narrow')))
  t.deepEqual(during.spec?.selector, { app: 'web', tier: 'front', 'kt-exchange': 'abcde' })
  t.is(during.metadata?.labels?.['kt-exchange'], 'abcde')
  t.is(during.metadata?.annotations?.['kt-user'], 'alice')
  t.deepEqual(exchangeState(during), { kind: 'exchanged', token: 'abcde', mode: 'narrow' })
  t.deepEqual(apply(during, { spec: { selector: { app: 'web', tier: 'front' } } }), during)
  t.deepEqual(apply(during, restorePatch(during)), before)
})

test('replace: only our key; the original is kept; undo restores it', t => {
  const before = service({ app: 'web', tier: 'front' })
  const during = apply(before, divertPatch(before, diversion('replace')))
  t.deepEqual(during.spec?.selector, { 'kt-exchange': 'abcde' })
  t.deepEqual(originalSelector(during), { app: 'web', tier: 'front' })
  t.deepEqual(apply(during, restorePatch(during)), before)
})

test('replace, then another manifest: its selector is the one that comes back', t => {
  const before = service({ app: 'web', tier: 'front' })
  const during = apply(before, divertPatch(before, diversion('replace')))
  const applied = apply(during, { spec: { selector: { app: 'web', tier: 'back' } } })
  t.deepEqual(originalSelector(applied), { app: 'web', tier: 'back' })
  const healed = apply(applied, divertPatch(applied, diversion('replace')))
  t.deepEqual(healed.spec?.selector, { 'kt-exchange': 'abcde' })
  t.deepEqual(apply(healed, restorePatch(healed)).spec?.selector, { app: 'web', tier: 'back' })
})

test('any selector, any mode: undo is exact, and needs no patch twice', t => {
  const word = fc.stringMatching(/^[a-z]{1,8}$/)
  fc.assert(
    fc.property(
      fc.dictionary(word, word, { minKeys: 1 }),
      fc.option(fc.dictionary(word, word, { minKeys: 1 }), { nil: undefined }),
      fc.constantFrom('narrow' as const, 'replace' as const),
      (selector, annotations, mode) => {
        const before = service(selector, annotations === undefined ? {} : { annotations })
        const during = apply(before, divertPatch(before, diversion(mode)))
        const after = apply(during, restorePatch(during))
        return JSON.stringify(sorted(after)) === JSON.stringify(sorted(before)) && restorePatch(after) === undefined
      }
    )
  )
  t.pass()
})

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .map(([key, item]) => [key, sorted(item)])
    .sort()
}

test('the version that was looked at is part of the write', t => {
  const before = service({ app: 'web' })
  t.like(divertPatch(before, diversion('narrow')), { metadata: { resourceVersion: '7' } })
  t.like(restorePatch(apply(before, divertPatch(before, diversion('narrow')))), { metadata: { resourceVersion: '7' } })
})

test("kt-connect's exchange is recognised and restored from its annotation", t => {
  const theirs = service(
    { 'kt-role': 'shadow-exchange', 'kt-target': 'qwertyuiopasdfghjklz' },
    { annotations: { 'kt-selector': '{"app":"web"}', 'kt-user': 'bob' } }
  )
  t.like(exchangeState(theirs), { kind: 'kt-connect', target: 'qwertyuiopasdfghjklz', role: 'shadow-exchange' })
  const after = apply(theirs, restorePatch(theirs))
  t.deepEqual(after.spec?.selector, { app: 'web' })
  t.is(after.metadata?.annotations, undefined)
})

test("kt-connect's lock alone: the selector is left as it is", t => {
  const locked = service({ app: 'web' }, { annotations: { 'kt-lock': '1700000000' } })
  t.is(exchangeState(locked).kind, 'kt-connect')
  t.deepEqual(apply(locked, restorePatch(locked)), service({ app: 'web' }))
})

for (const text of ['', '{}', '[]', '"x"', '{"app":1}', 'null']) {
  test(`a stored selector ${JSON.stringify(text)} is not believed`, t => {
    const theirs = service({ 'kt-target': 'x' }, { annotations: { 'kt-selector': text } })
    t.deepEqual(apply(theirs, restorePatch(theirs)).spec?.selector, { 'kt-target': 'x' })
  })
}

test('a service that kt has not touched: plain, nothing to restore', t => {
  const untouched = service({ app: 'web' }, { annotations: { note: 'x' } })
  t.deepEqual(exchangeState(untouched), { kind: 'plain' })
  t.is(restorePatch(untouched), undefined)
})

test('narrow for a Deployment and a StatefulSet', t => {
  const web = service({ app: 'web' })
  t.is(chooseMode(web, [DEPLOYED, ownedBy('StatefulSet')], [web]).mode, 'narrow')
})

const WEB = service({ app: 'web' })
const HEADLESS: Service = { metadata: { name: 'web-headless' }, spec: { selector: { app: 'web' } } }
for (const [what, selected, pods, services] of [
  ['a bare ReplicaSet', WEB, [ownedBy('ReplicaSet')], [WEB]],
  ['a DaemonSet', WEB, [DEPLOYED, ownedBy('DaemonSet')], [WEB]],
  ['a ReplicationController', WEB, [ownedBy('ReplicationController')], [WEB]],
  ['a bare pod', WEB, [{ metadata: {} }], [WEB]],
  ['no pod', WEB, [], [WEB]],
  ['another service with the same selector', WEB, [DEPLOYED], [WEB, HEADLESS]],
  ['a selector with the revision', service({ app: 'web', 'pod-template-hash': 'h' }), [DEPLOYED], [WEB]]
] as const) {
  test(`replace, with a reason, for ${what}`, t => {
    const { mode, reason } = chooseMode(selected, pods, services)
    t.is(mode, 'replace')
    t.not(reason, '')
  })
}
