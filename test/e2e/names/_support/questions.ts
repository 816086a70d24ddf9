// What the differential test asks: every name of the population, names beside them, and addresses backwards.
import { parseAddress } from '../../../../lib/wire/address.ts'
import type { ClusterName } from '../../_support/areas.ts'
import { kubectl } from '../../_support/kubectl.ts'
import type { Question } from './ask.ts'
import { ENDPOINT_LABELS, MANUAL_ADDRESSES, NAMESPACES, POPULATION } from './population.ts'

const DOMAIN = 'cluster.local'
const TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'TXT', 'MX', 'NS', 'SOA', 'PTR', 'ANY']
/** Names below a service are asked for with fewer types: what differs by type is seen at the service itself. */
const FEW = ['A', 'AAAA', 'SRV', 'TXT']
const PORTS = ['_http._tcp', '_metrics._tcp', '_dns._udp', '_syslog._udp', '_diameter._sctp', '_nope._tcp', '_tcp']
const TREES = ['', 'svc.', 'pod.', 'ns.dns.', 'dns-version.', 'x.', 'a.b.']
const PODS = ['10-244-1-5.demo.pod.', 'nobody.demo.pod.', '10-9-9-9.nowhere.pod.', 'fd00--5.demo.pod.']
/** In the cluster's ranges, and nobody's. */
const NOBODYS = ['10.96.255.200', '10.244.1.199']

export async function questions(cluster: ClusterName): Promise<Question[]> {
  const asked: Question[] = []
  const ask = (name: string, types = TYPES): void => void asked.push(...types.map((type): Question => [name, type]))
  for (const [service, namespace] of POPULATION) {
    const name = `${service}.${namespace}.svc.${DOMAIN}`
    ask(name)
    for (const below of [...PORTS, ...ENDPOINT_LABELS, '*', 'a.b.c']) ask(`${below}.${name}`, FEW)
  }
  for (const [service, namespace] of POPULATION.slice(0, 8))
    ask(`${service}.${namespace}.svc.${DOMAIN}`.toUpperCase(), FEW)
  for (const name of [...TREES, ...PODS]) ask(`${name}${DOMAIN}`)
  for (const namespace of [...NAMESPACES, 'demo', 'default', 'nowhere', '*']) {
    ask(`${namespace}.svc.${DOMAIN}`)
    ask(`nothing.${namespace}.svc.${DOMAIN}`, FEW)
    ask(`kubernetes.${namespace}.svc.${DOMAIN}`)
    ask(`${namespace}.pod.${DOMAIN}`, FEW)
  }
  for (const address of await addresses(cluster)) ask(reverseName(address), ['PTR', 'A', 'TXT'])
  return asked
}

/** Of all services and pods, of the manual endpoints, and some that nobody has. */
async function addresses(cluster: ClusterName): Promise<string[]> {
  const list = async (kind: string, path: string): Promise<string> =>
    kubectl(['get', kind, '-A', '-o', `jsonpath={range .items[*]}{${path}}{" "}{end}`], { cluster })
  const all = `${await list('services', '.spec.clusterIPs[*]')} ${await list('pods', '.status.podIPs[*].ip')}`
  // Those of the nodes, which pods of the host's network have, are outside of the routes.
  return [...new Set([...all.split(/\s+/).filter(isOfCluster), ...MANUAL_ADDRESSES, ...NOBODYS])]
}

function isOfCluster(address: string): boolean {
  return /^10\.(96|244)\./.test(address) || /^fd/.test(address)
}

/** RFC 1035 §3.5, RFC 3596 §2.5. */
function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const bytes = parseAddress(address)
  if (bytes === undefined) throw new Error(`${address} is no address`)
  return `${[...Buffer.from(bytes).toString('hex')].reverse().join('.')}.ip6.arpa`
}
