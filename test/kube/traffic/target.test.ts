// lib/kube/traffic/target.ts: what a TARGET means.
import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import { demandSelectorTarget, parseTarget, servicesOf } from '../../../lib/kube/traffic/target.ts'

for (const [text, kind, name] of [
  ['web', 'service', 'web'],
  ['svc/web', 'service', 'web'],
  ['service/web', 'service', 'web'],
  ['deploy/web', 'deployment', 'web'],
  ['deployment/web-1', 'deployment', 'web-1'],
  ['sts/db', 'statefulset', 'db'],
  ['StatefulSet/db', 'statefulset', 'db'],
  ['pod/web-0', 'pod', 'web-0']
] as const) {
  test(`${text} is ${kind} ${name}`, t => {
    t.deepEqual(parseTarget(text), { kind, name })
  })
}

for (const text of ['', '/', 'svc/', 'ingress/web', 'a/b/c', 'Web', 'we b', '-web', 'svc/-x', 'x'.repeat(254)]) {
  test(`"${text.slice(0, 20)}" is no target`, t => {
    const error = t.throws(() => parseTarget(text), { instanceOf: KtError })
    t.is(error?.code, 'KT_USAGE')
    t.not(error?.hint, '')
    t.false(error?.message.includes('\n'))
  })
}

test('a pod cannot be exchanged by selector', t => {
  const error = t.throws(() => demandSelectorTarget(parseTarget('pod/x')), { instanceOf: KtError })
  t.is(error?.code, 'KT_USAGE')
  t.notThrows(() => demandSelectorTarget(parseTarget('deploy/x')))
})

test("the services of a workload: those whose whole selector its labels have, without kt's own", t => {
  const service = (name: string, selector: Record<string, string> | undefined, labels = {}) => ({
    metadata: { name, labels },
    spec: selector === undefined ? {} : { selector }
  })
  const found = servicesOf({ app: 'web', tier: 'front' }, [
    service('one', { app: 'web' }),
    service('both', { app: 'web', tier: 'front' }),
    service('other', { app: 'db' }),
    service('more', { app: 'web', tier: 'front', track: 'canary' }),
    service('none', undefined),
    service('empty', {}),
    service('one-kt-stuntman', { app: 'web' }, { 'control-by': 'kt' })
  ])
  t.deepEqual(
    found.map(({ metadata }) => metadata?.name),
    ['one', 'both']
  )
})
