// A cluster as a table, questions to a Resolver about it, and answers as text.
import { type Answer, type DecodedPacket, decode, encode, type Packet } from 'dns-packet'
import type { ClusterNames, ServiceRecord } from '../../lib/dns/cluster-names.ts'
import { Resolver, type ResolverOptions } from '../../lib/dns/server.ts'

const HTTP = { name: 'http', protocol: 'tcp', port: 80 }
const DNS = [
  { name: 'dns', protocol: 'udp', port: 53 },
  { name: 'dns-tcp', protocol: 'tcp', port: 53 }
]

function service(path: string, rest: Partial<ServiceRecord>): ServiceRecord {
  const [name = '', namespace = ''] = path.split('.')
  return { name, namespace, kind: 'ClusterIP', addresses: [], ports: [HTTP], endpoints: [], externalName: '', ...rest }
}

export const SERVICES = [
  service('kubernetes.default', { addresses: ['10.96.0.1'], ports: [{ name: 'https', protocol: 'tcp', port: 443 }] }),
  service('kube-dns.kube-system', { addresses: ['10.96.0.10'], ports: DNS }),
  service('nginx.demo', { addresses: ['10.96.0.7'] }),
  service('dual.demo', { addresses: ['10.96.0.8', 'fd00:10:96::8'] }),
  service('unnamed.demo', { addresses: ['10.96.0.9'], ports: [{ name: '', protocol: 'tcp', port: 80 }] }),
  service('web.demo', {
    kind: 'Headless',
    endpoints: [
      { address: '10.244.1.5', hostname: 'web-0', ports: [HTTP] },
      { address: '10.244.1.6', hostname: 'web-1', ports: [HTTP] },
      { address: '10.244.2.7', hostname: '', ports: [HTTP] }
    ]
  }),
  service('six.demo', { kind: 'Headless', endpoints: [{ address: 'fd00:244::5', hostname: '', ports: [HTTP] }] }),
  service('empty.demo', { kind: 'Headless' }),
  service('inside.demo', { kind: 'ExternalName', externalName: 'nginx.demo.svc.cluster.local' }),
  service('twice.demo', { kind: 'ExternalName', externalName: 'inside.demo.svc.cluster.local.' }),
  service('outside.demo', { kind: 'ExternalName', externalName: 'db.example.test' }),
  service('lost.demo', { kind: 'ExternalName', externalName: 'missing.demo.svc.cluster.local' }),
  service('noports.demo', { addresses: ['10.96.0.11'], ports: [] }),
  service('round.demo', { kind: 'ExternalName', externalName: 'round.demo.svc.cluster.local' }),
  service('big.demo', {
    kind: 'Headless',
    endpoints: Array.from({ length: 200 }, (_, i) => ({ address: `10.244.9.${i}`, hostname: '', ports: [HTTP] }))
  })
]

export function table(services = SERVICES, rest: Partial<ClusterNames> = {}): ClusterNames {
  const found = new Map(services.map(s => [`${s.name}.${s.namespace}`, s]))
  const namespaces = new Set(['demo', 'empty', ...services.map(s => s.namespace)])
  return {
    domain: 'cluster.local',
    namespace: 'demo',
    complete: true,
    service: (namespace, name) => found.get(`${name}.${namespace}`),
    hasNamespace: namespace => namespaces.has(namespace),
    ...rest
  }
}

/** The cluster's DNS in a test: which names it was asked for, and what it answers. */
export class ClusterDns {
  readonly asked: string[] = []
  /** `name TYPE` → the answers; anything else is NXDOMAIN without an SOA. */
  readonly #records: Record<string, Answer[]>

  constructor(records: Record<string, Answer[]> = {}) {
    this.#records = records
  }

  readonly answer = async (message: Uint8Array): Promise<Uint8Array> => {
    const { id = 0, questions = [] } = decode(Buffer.from(message))
    const [question] = questions
    const key = `${question?.name.toLowerCase()} ${question?.type}`
    this.asked.push(key)
    const answers = this.#records[key]
    return encode({ type: 'response', id, flags: answers === undefined ? 3 : 0, questions, answers: answers ?? [] })
  }
}

export function resolver(options: Partial<ResolverOptions> = {}): Resolver {
  return new Resolver({
    names: table(),
    cluster: () => Promise.reject(new Error('the cluster must not be asked here')),
    isClusterAddress: address => address.startsWith('10.96.') || address.startsWith('fd00:10:96::'),
    ...options
  })
}

export function question(name: string, type = 'A', rest: Packet = {}): Buffer {
  return encode({ type: 'query', id: 4711, flags: 0x100, questions: [{ name, type: type as 'A' }], ...rest })
}

export const EDNS: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 4096,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: []
}

export async function ask(
  to: Resolver,
  name: string,
  type = 'A',
  transport: 'udp' | 'tcp' = 'tcp'
): Promise<DecodedPacket> {
  const bytes = await to.answer(question(name, type), transport)
  if (bytes === undefined) throw new Error('not answered')
  return decode(Buffer.from(bytes))
}

/** `NXDOMAIN SOA`, `NODATA SOA` or the answers, one text each; the order is that of the message. */
export async function told(
  to: Resolver,
  name: string,
  type = 'A',
  transport: 'udp' | 'tcp' = 'tcp'
): Promise<string[]> {
  return show(await ask(to, name, type, transport))
}

export function show(packet: DecodedPacket): string[] {
  const { rcode } = packet as DecodedPacket & { rcode: string }
  const answers = (packet.answers ?? []).map(text)
  const soa = packet.authorities?.some(({ type }) => type === 'SOA') ? ' SOA' : ''
  if (rcode !== 'NOERROR') return [`${rcode}${soa}`, ...answers]
  return answers.length === 0 ? [`NODATA${soa}`] : answers
}

function text(record: Answer): string {
  const data = 'data' in record ? record.data : ''
  if (record.type === 'SRV') {
    const { priority, weight, port, target } = record.data
    return `SRV ${priority} ${weight} ${port} ${target}`
  }
  return `${record.type} ${Array.isArray(data) ? data.map(String).join(' ') : String(data)}`
}
