import test from 'ava'
import { clusterDomain } from '../../../lib/session/network/cluster-domain.ts'

const cases: [string, string][] = [
  [
    'search demo.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
    'cluster.local'
  ],
  [
    'nameserver 10.0.0.10\nsearch shop.svc.k8s.example.org svc.k8s.example.org k8s.example.org eu.example.org\n',
    'k8s.example.org'
  ],
  ['search shop.svc.Cluster.Local. svc.Cluster.Local. Cluster.Local.\n', 'cluster.local'],
  ['nameserver 10.96.0.10\n', 'cluster.local'],
  ['', 'cluster.local']
]
for (const [text, domain] of cases) test(`${JSON.stringify(text)} → ${domain}`, t => t.is(clusterDomain(text), domain))
