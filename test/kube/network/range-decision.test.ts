import test from 'ava'
import { decideRanges, type Evidence, type PodFacts } from '../../../lib/kube/network/range-decision.ts'

const NOTHING: Evidence = {
  serviceCidrs: [],
  validServiceRange: undefined,
  serviceAddresses: [],
  nodes: [],
  podAddresses: [],
  hostAddresses: [],
  seenIn: 'namespace demo',
  serverAddresses: [{ address: '192.0.2.10', reason: 'the API server' }]
}
const NO_FACTS: PodFacts = { serviceHost: '', podAddresses: [], resolvConf: '', routes: '' }

function lines(evidence: Partial<Evidence>, facts: Partial<PodFacts> = {}): string[] {
  return decideRanges({ ...NOTHING, ...evidence }, { ...NO_FACTS, ...facts }).ranges.map(
    r => `${r.kind} ${r.cidr} ${r.reason}`
  )
}

test('what the cluster declares is enough, and what lies in it is not said again', t => {
  const evidence = {
    serviceCidrs: [{ name: 'kubernetes', cidrs: ['10.96.0.0/16', 'fd00:96::/112'] }],
    nodes: [
      { name: 'n1', podCidrs: ['10.244.0.0/24', 'fd00:1::/64'], addresses: ['10.200.0.11'] },
      { name: 'n2', podCidrs: ['10.244.1.0/24'], addresses: ['10.200.0.12'] }
    ],
    podAddresses: ['10.244.1.9', 'fd00:1::9']
  }
  const facts = {
    serviceHost: '10.96.0.1',
    podAddresses: [{ address: '10.244.1.9', prefix: 24 }],
    resolvConf: 'search x\nnameserver 10.96.0.10\n'
  }
  t.deepEqual(lines(evidence, facts), [
    'service 10.96.0.0/16 ServiceCIDR kubernetes',
    'service fd00:96::/112 ServiceCIDR kubernetes',
    'pod 10.244.0.0/23 podCIDRs of 2 nodes',
    'pod fd00:1::/64 podCIDR of node n1'
  ])
})

test('rights in one namespace: the dry run, then what the agent has', t => {
  const facts = {
    serviceHost: '10.96.0.1',
    podAddresses: [{ address: '10.244.1.9', prefix: 24 }],
    routes:
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\neth0\t0000F40A\t0101F40A\t0003\t0\t0\t0\t0000FFFF\neth0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n'
  }
  t.deepEqual(lines({ validServiceRange: '10.96.0.0/16,fd00:96::/112' }, facts), [
    'service 10.96.0.0/16 valid range for services, says the API server',
    'service fd00:96::/112 valid range for services, says the API server',
    "pod 10.244.0.0/16 route in the agent's pod"
  ])
})

test('nothing but the agent: surroundings of what it has', t => {
  const facts = {
    serviceHost: '10.96.0.1',
    podAddresses: [{ address: '10.0.7.9', prefix: 32 }],
    resolvConf: 'nameserver 10.98.0.10\nnameserver 169.254.20.10'
  }
  t.deepEqual(lines({}, facts), [
    'service 10.96.0.0/24 around the address of the service kubernetes',
    "service 10.98.0.10/32 the cluster's DNS server",
    "pod 10.0.7.0/24 network of the agent's pod"
  ])
})

test('pods outside of the declared ranges are seen (CNIs with their own pools)', t => {
  const nodes = [{ name: 'n1', podCidrs: ['10.244.1.0/24'], addresses: [] }]
  t.deepEqual(lines({ nodes, podAddresses: ['10.244.1.5', '192.168.3.4', '192.168.3.5', '192.168.2.1', 'fd00::5'] }), [
    'pod 10.244.1.0/24 podCIDR of node n1',
    'pod 192.168.2.0/23 around pods of namespace demo',
    'pod fd00::/64 around pods of namespace demo'
  ])
})

test('services are seen where nothing declares them', t => {
  t.deepEqual(lines({ serviceAddresses: ['10.96.0.1', '10.96.0.10', '10.96.1.7'] }), [
    'service 10.96.0.0/23 around services of namespace demo'
  ])
})

test('never: the API server, nodes, and addresses of nodes seen from pods; a pod in the network of its node is no pod range', t => {
  const nodes = [{ name: 'n1', podCidrs: [], addresses: ['10.200.0.11'] }]
  const { never, ranges } = decideRanges(
    { ...NOTHING, nodes, podAddresses: ['10.200.0.12'], hostAddresses: ['10.200.0.11', '10.200.0.12'] },
    NO_FACTS
  )
  t.deepEqual(never, [
    { address: '192.0.2.10', reason: 'the API server' },
    { address: '10.200.0.11', reason: 'node n1' },
    { address: '10.200.0.12', reason: 'a node, seen from its pods' }
  ])
  t.deepEqual(ranges, [])
})

test('texts of a broken agent or cluster do no harm', t => {
  t.deepEqual(
    lines(
      { validServiceRange: 'soon', nodes: [{ name: 'n', podCidrs: ['?', ''], addresses: ['?'] }] },
      {
        serviceHost: 'x',
        podAddresses: [{ address: 'y', prefix: 99 }],
        routes: 'a\nb c d\n',
        resolvConf: 'nameserver z'
      }
    ),
    []
  )
})
