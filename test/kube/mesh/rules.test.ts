// lib/kube/mesh/rules.ts and mesh-manual.ts: what is written for Istio and for the Gateway API.
import test from 'ava'
import { commonLabels } from '../../../lib/kube/mesh/manual.ts'
import { type RuleWish, rulesOf, unsayable } from '../../../lib/kube/mesh/rules.ts'

const WISH: RuleWish = {
  flavour: 'istio',
  namespace: 'demo',
  service: 'shop',
  ports: [80],
  name: 'shop-kt-mesh-blue',
  match: [{ header: 'version', exact: 'blue' }],
  subsets: undefined
}

test('Istio, a service of its own: ours first, everything else stays', t => {
  const [rule, ...others] = rulesOf(WISH)
  t.deepEqual(others, [])
  t.is(rule?.kind, 'VirtualService')
  t.deepEqual(rule?.spec, {
    hosts: ['shop.demo.svc.cluster.local'],
    http: [
      {
        name: 'shop-kt-mesh-blue-80',
        match: [{ headers: { version: { exact: 'blue' } }, port: 80 }],
        route: [{ destination: { host: 'shop-kt-mesh-blue.demo.svc.cluster.local', port: { number: 80 } } }]
      },
      { name: 'original', route: [{ destination: { host: 'shop.demo.svc.cluster.local' } }] }
    ]
  })
})

test('Istio, subsets: the shadow and the originals are told apart by one label, and the subsets come first', t => {
  const [destination, virtual] = rulesOf({ ...WISH, subsets: { key: 'version', version: 'blue', original: 'v1' } })
  t.deepEqual(destination?.spec, {
    host: 'shop.demo.svc.cluster.local',
    subsets: [
      { name: 'original', labels: { version: 'v1' } },
      { name: 'kt', labels: { version: 'blue' } }
    ]
  })
  const host = 'shop.demo.svc.cluster.local'
  t.like(virtual?.spec, {
    http: [
      { route: [{ destination: { host, subset: 'kt' } }] },
      { route: [{ destination: { host, subset: 'original' } }] }
    ]
  })
})

test('Gateway API: one HTTPRoute of the service', t => {
  const match: RuleWish['match'] = [
    { pathPrefix: '/api' },
    { query: 'user', exact: 'ada' },
    { header: 'x-a', regex: 'b+' }
  ]
  const [route, ...others] = rulesOf({ ...WISH, flavour: 'gateway', match })
  t.deepEqual(others, [])
  t.is(route?.kind, 'HTTPRoute')
  t.deepEqual(route?.spec, {
    parentRefs: [{ group: '', kind: 'Service', name: 'shop', port: 80 }],
    rules: [
      {
        matches: [
          {
            headers: [{ name: 'x-a', type: 'RegularExpression', value: 'b+' }],
            queryParams: [{ name: 'user', type: 'Exact', value: 'ada' }],
            path: { type: 'PathPrefix', value: '/api' }
          }
        ],
        backendRefs: [{ name: 'shop-kt-mesh-blue', port: 80 }]
      },
      { backendRefs: [{ name: 'shop', port: 80 }] }
    ]
  })
})

test('a cookie is a part of a header', t => {
  const [rule] = rulesOf({ ...WISH, match: [{ cookie: 'user', exact: 'a.b' }] })
  const { http } = rule!.spec as { http: { match: { headers: { cookie: { regex: string } } }[] }[] }
  const pattern = new RegExp(http[0]!.match[0]!.headers.cookie.regex)
  for (const [value, expected] of [
    ['user=a.b', true],
    ['x=1; user=a.b; y=2', true],
    ['user=axb', false],
    ['superuser=a.b', false],
    ['user=a.bc', false]
  ] as const)
    t.is(pattern.test(value), expected, value)
})

test('what the rules cannot say twice', t => {
  t.is(unsayable([{ pathPrefix: '/a' }, { header: 'a', exact: '' }, { header: 'b', exact: '' }]), '')
  t.is(unsayable([{ pathPrefix: '/a' }, { pathPrefix: '/b' }]), 'path')
  t.is(
    unsayable([
      { cookie: 'a', exact: '' },
      { cookie: 'b', exact: '' }
    ]),
    'header cookie'
  )
})

test("labels that all pods have, without their controllers'", t => {
  const pod = (labels: Record<string, string>) => ({ metadata: { labels } })
  const labels = { app: 'shop', version: 'v1', 'pod-template-hash': 'x', 'apps.kubernetes.io/pod-index': '0' }
  t.deepEqual(commonLabels([pod(labels), pod({ ...labels, version: 'v2' })]), { app: 'shop' })
  t.deepEqual(commonLabels([pod(labels)]), { app: 'shop', version: 'v1' })
  t.deepEqual(commonLabels([]), {})
})
