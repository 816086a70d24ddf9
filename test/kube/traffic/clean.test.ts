// lib/kube/traffic/clean.ts, recover.ts, owner.ts: what counts as left behind, and whose it is.
import { hostname } from 'node:os'
import test from 'ava'
import type { Pod, Service } from '../../../lib/kube/api/client.ts'
import { stuntmanName } from '../../../lib/kube/names.ts'
import { describeExpired, findExpired } from '../../../lib/kube/traffic/clean.ts'
import { describeOwner, isOurs, ownerAnnotations, ownerOf } from '../../../lib/kube/traffic/owner.ts'
import { changedServices, configOf, type Remains, scaledBy, servicesBehind } from '../../../lib/kube/traffic/recover.ts'

const LIMIT = 300
const beat = (secondsAgo: number): string => String(Math.floor(Date.now() / 1000) - secondsAgo)

function made(name: string, secondsAgo: number, config = ''): Pod & Service {
  const annotations = { 'kt-last-heart-beat': beat(secondsAgo), ...(config === '' ? {} : { 'kt-config': config }) }
  return { metadata: { name, labels: { 'control-by': 'kt' }, annotations } }
}

const exchanged = (name: string): Service => ({
  metadata: { name, labels: { 'kt-exchange': 'abcde' }, annotations: { 'kt-user': 'alice' } },
  spec: { selector: { app: name, 'kt-exchange': 'abcde' } }
})

const remains = (parts: Partial<Remains>): Remains => ({ services: [], pods: [], configMaps: [], ...parts })
const NONE = { services: [], pods: [], helpers: [], configMaps: [], participants: [] }

test('an exchange that is kept alive by any part of it is left alone', t => {
  for (const [shadow, stuntman] of [
    [10, 1000],
    [1000, 10],
    [10, 10]
  ] as const) {
    const found = remains({
      services: [exchanged('web'), made('web-kt-stuntman', stuntman, 'service=web')],
      pods: [made('web-kt-exchange-abcde', shadow, 'service=web')]
    })
    t.deepEqual(findExpired(found, LIMIT), NONE)
  }
})

test('one that is silent in all its parts is put back as a whole', t => {
  const found = remains({
    services: [exchanged('web'), made('web-kt-stuntman', 1000, 'service=web')],
    pods: [made('web-kt-exchange-abcde', 1000, 'service=web')],
    configMaps: [made('web-kt-exchange-abcde', 1000)]
  })
  t.deepEqual(findExpired(found, LIMIT), { ...NONE, services: ['web'] })
  t.deepEqual(describeExpired(findExpired(found, LIMIT)), ['service web would be put back'])
})

test('a service whose shadow and stuntman are gone is put back, an untouched one is not', t => {
  const found = remains({
    services: [exchanged('web'), { metadata: { name: 'db' }, spec: { selector: { app: 'db' } } }]
  })
  t.deepEqual(findExpired(found, LIMIT), { ...NONE, services: ['web'] })
})

test('shadows of kt up, previews and rectifiers go one by one; ConfigMaps only without their pod', t => {
  const young: Pod = { metadata: { name: 'kt-rectifier-young', creationTimestamp: new Date().toISOString() } }
  const found = remains({
    pods: [made('kt-connect-shadow-aaaaa', 1000), made('kt-connect-shadow-bbbbb', 10), young],
    services: [made('new', 1000, 'service=new'), made('newer', 10, 'service=newer')],
    configMaps: [made('kt-connect-shadow-aaaaa', 1000), made('kt-connect-shadow-bbbbb', 1000), made('orphan', 1000)]
  })
  const expired = findExpired(found, LIMIT)
  t.deepEqual(expired.pods, ['kt-connect-shadow-aaaaa'])
  t.deepEqual([...expired.services, ...expired.helpers], ['new'])
  t.deepEqual(expired.configMaps, ['orphan'])
})

test('what has no heartbeat counts from its creation', t => {
  const old: Pod = { metadata: { name: 'kt-rectifier-aaaaa', creationTimestamp: '2020-01-01T00:00:00Z' } }
  t.deepEqual(findExpired(remains({ pods: [old] }), LIMIT).pods, ['kt-rectifier-aaaaa'])
})

test("kt-connect's exchange and router are found by their annotations", t => {
  const theirs: Service = {
    metadata: { name: 'web', annotations: { 'kt-selector': '{"app":"web"}' } },
    spec: { selector: { 'kt-target': 'x' } }
  }
  t.deepEqual(changedServices(remains({ services: [theirs] })), ['web'])
  t.deepEqual(changedServices(remains({ pods: [made('shop-kt-router', 10, 'service=shop')] })), ['shop'])
  t.is(configOf(made('x', 0, 'app=web,replicas=3'), 'replicas'), '3')
  t.is(configOf(made('x', 0, 'app=web'), 'replicas'), undefined)
  t.is(configOf({}, 'service'), undefined)
})

/** kt-connect's shadow of a Deployment that it has scaled to 0: the Deployment's labels, and no word of a service. */
const scaledShadow = (secondsAgo: number): Pod => {
  const pod = made('shop-kt-exchange-abcde', secondsAgo, 'app=shop,replicas=2')
  return { metadata: { ...pod.metadata, labels: { 'control-by': 'kt', 'kt-role': 'shadow-exchange', app: 'shop' } } }
}
const SHOP: Service = { metadata: { name: 'web' }, spec: { selector: { app: 'shop' } } }

test("kt-connect's scaled Deployment: found by the service that leads to its shadow, or by its own name", t => {
  t.deepEqual(changedServices(remains({ services: [SHOP], pods: [scaledShadow(10)] })), ['web'])
  t.deepEqual(changedServices(remains({ pods: [scaledShadow(10)] })), ['shop'])
  t.deepEqual(scaledBy(scaledShadow(10)), { kind: 'deployment', name: 'shop', replicas: 2 })
  t.deepEqual(servicesBehind(made('kt-connect-shadow-abcde', 10), [SHOP]), [])
})

test('its shadow never goes without its Deployment, and both not while somebody keeps them alive', t => {
  const silent = findExpired(remains({ services: [SHOP], pods: [scaledShadow(1000)] }), LIMIT)
  t.deepEqual(silent, { ...NONE, services: ['web'] })
  t.deepEqual(findExpired(remains({ services: [SHOP], pods: [scaledShadow(10)] }), LIMIT), NONE)
})

test("kt-connect's lock counts from when it was written", t => {
  const locked = (secondsAgo: number): Service => ({
    metadata: { name: 'web', creationTimestamp: '2020-01-01T00:00:00Z', annotations: { 'kt-lock': beat(secondsAgo) } },
    spec: { selector: { app: 'web' } }
  })
  t.deepEqual(findExpired(remains({ services: [locked(10)] }), LIMIT), NONE)
  t.deepEqual(findExpired(remains({ services: [locked(1000)] }), LIMIT), { ...NONE, services: ['web'] })
})

test('an owner is who, where, and how long silent', t => {
  const us = ownerOf(ownerAnnotations('12/34', '1.0.0'))
  t.true(isOurs(us))
  t.is(us.process, '12/34')
  t.true(us.silentSeconds <= 1)
  const alice = ownerOf({ 'kt-user': 'alice', 'kt-host': 'laptop-7', 'kt-last-heart-beat': beat(600) })
  t.false(isOurs(alice))
  t.is(describeOwner(alice), 'alice on laptop-7, last seen 10 min ago')
  t.false(isOurs({ ...alice, host: hostname() }))
  t.is(describeOwner(ownerOf({ 'kt-user': 'bob' })), 'bob, never seen since')
  t.is(ownerOf({ 'kt-last-heart-beat': 'x' }).silentSeconds, Number.POSITIVE_INFINITY)
  t.is(ownerOf({ 'kt-last-heart-beat': beat(-500) }).silentSeconds, 0, 'a clock that is ahead')
})

test('the stuntman of a long name is a valid name, and another one for another service', t => {
  t.is(stuntmanName('web'), 'web-kt-stuntman')
  t.is(stuntmanName('a'.repeat(51)), `${'a'.repeat(51)}-kt-stuntman`)
  const [one, other] = [stuntmanName(`${'a'.repeat(62)}b`), stuntmanName(`${'a'.repeat(62)}c`)]
  t.true(one.length <= 63 && one.endsWith('-kt-stuntman'))
  t.not(one, other)
})
