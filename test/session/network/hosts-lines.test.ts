import test from 'ava'
import type { WatchedNames } from '../../../lib/kube/network/services.ts'
import { hostsLines } from '../../../lib/session/network/hosts-lines.ts'
import { SERVICES, table } from '../../dns/_table.ts'

const NAMES: WatchedNames = {
  ...table(),
  services: () => SERVICES,
  namespaces: () => ['demo', 'default', 'kube-system'],
  reverse: () => [],
  ready: () => 0,
  onChange: undefined
}

test('every spelling of a service, both families, and the host names of endpoints', t => {
  const lines = hostsLines(NAMES, [])
  t.true(lines.includes('10.96.0.7 nginx.demo.svc.cluster.local nginx.demo.svc nginx.demo nginx'))
  t.true(lines.includes('10.96.0.8 dual.demo.svc.cluster.local dual.demo.svc dual.demo dual'))
  t.true(lines.includes('fd00:10:96::8 dual.demo.svc.cluster.local dual.demo.svc dual.demo dual'))
  t.true(lines.includes('10.244.1.5 web.demo.svc.cluster.local web.demo.svc web.demo web'))
  t.true(lines.includes('10.244.1.6 web-1.web.demo.svc.cluster.local web-1.web.demo.svc web-1.web.demo web-1.web'))
  t.deepEqual(
    lines,
    lines.toSorted((a, b) => (a < b ? -1 : 1))
  )
})

test('what has no address has no line; short names are those of the own namespace', t => {
  t.false(hostsLines(NAMES, []).some(line => /empty|outside|kube-dns/.test(line)))
  const dns = hostsLines(NAMES, ['kube-system']).filter(line => line.includes('kube-dns'))
  t.deepEqual(dns, ['10.96.0.10 kube-dns.kube-system.svc.cluster.local kube-dns.kube-system.svc kube-dns.kube-system'])
})

test('a cluster with very many services does not make a file that slows every program down', t => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({ ...SERVICES[2]!, name: `service-${i}` }))
  t.is(hostsLines({ ...NAMES, services: () => many }, []).length, 5000)
})
