import test from 'ava'
import { suffixOf } from '../../lib/session/several.ts'

test('a context’s name becomes a domain', t => {
  const of = (context: string): string => suffixOf(context, [], 0)
  t.is(of('west'), 'west.kt')
  t.is(of('kubernetes-admin@Kubernetes'), 'kubernetes-admin-kubernetes.kt')
  t.is(of('arn:aws:eks:eu-west-1:123456789012:cluster/prod'), 'prod.kt')
  t.is(of('gke_project_europe-west1_shop'), 'gke-project-europe-west1-shop.kt')
  t.is(of('a.b'), 'a-b.kt')
  t.is(of('…'), 'cluster.kt')
  t.is(of(''), 'cluster.kt')
  t.true(of('x'.repeat(100)).length <= 66)
})

test('who was here first has the name alone; the others have the number of their place', t => {
  const earlier = [{ context: 'kind/west' }, { context: 'east' }]
  t.is(suffixOf('west', earlier, 2), 'west-3.kt')
  t.is(suffixOf('West', earlier, 0), 'west-1.kt')
  t.is(suffixOf('north', earlier, 2), 'north.kt')
  t.is(suffixOf('x'.repeat(80), [{ context: 'x'.repeat(90) }], 14), `${'x'.repeat(60)}-15.kt`)
})
