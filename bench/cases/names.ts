// Questions per second of the built-in resolver, by where the answer comes from.
import { decode, encode, type RecordType } from 'dns-packet'
import type { ClusterNames, ServiceRecord } from '../../lib/dns/cluster-names.ts'
import { Resolver } from '../../lib/dns/server.ts'
import type { Case } from '../harness/case.ts'
import { type Row, row } from '../harness/rows.ts'
import { spread } from '../harness/statistics.ts'

const SERVICES = 1000
const NAMESPACE = 'demo'
const DOMAIN = 'cluster.local'
/** Questions under way at once, as many programs ask. */
const AT_ONCE = 16
/** Between two looks at the time. */
const BURST = 512

/** What is asked, and who answers. */
const MEASURES: { what: string; type: RecordType; name: (number: number) => string }[] = [
  { what: 'A of a service, from the watch', type: 'A', name: n => `service-${n}.${NAMESPACE}.svc.${DOMAIN}` },
  { what: 'A of a short name', type: 'A', name: n => `service-${n}` },
  { what: 'SRV of a service', type: 'SRV', name: n => `_http._tcp.service-${n}.${NAMESPACE}.svc.${DOMAIN}` },
  { what: 'a name that does not exist', type: 'A', name: n => `missing-${n}.${NAMESPACE}.svc.${DOMAIN}` },
  {
    what: "a pod's name, from the cluster's DNS, kept",
    type: 'A',
    name: n => `10-244-1-${n % 250}.${NAMESPACE}.pod.${DOMAIN}`
  }
]

export const names: Case = {
  name: 'names',
  title: 'questions per second of the resolver, one process, without a network',
  run: async context => {
    const resolver = new Resolver({ names: table(), cluster: async message => answerOf(message) })
    const asks = MEASURES.map(({ what, type, name }) => asker(resolver, what, type, name))
    const samples = MEASURES.map((): Sample[] => [])
    for (let round = 1; round <= context.rounds; round++) {
      for (const [index, ask] of asks.entries()) {
        context.progress(`round ${round}/${context.rounds}: names: ${MEASURES[index]!.what}`)
        samples[index]!.push(await ask(context.seconds * 1000))
      }
    }
    return MEASURES.flatMap(({ what }, index) => rowsOf(what, samples[index]!))
  }
}

interface Sample {
  perSecond: number
  cpuMicros: number
}

/** Asks for so many milliseconds. */
function asker(
  resolver: Resolver,
  what: string,
  type: RecordType,
  name: (number: number) => string
): (ms: number) => Promise<Sample> {
  const questions = Array.from({ length: SERVICES }, (_, id) =>
    encode({ type: 'query', id, flags: 0x100, questions: [{ type, name: name(id) }] })
  )
  return async ms => {
    const cpu = process.cpuUsage()
    const began = performance.now()
    let asked = 0
    const lane = async (): Promise<void> => {
      while (performance.now() - began < ms) {
        for (let i = 0; i < BURST / AT_ONCE; i++) {
          if ((await resolver.answer(questions[asked++ % SERVICES]!, 'udp')) === undefined)
            throw new Error(`${what}: no answer`)
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    const perSecond = (asked / (performance.now() - began)) * 1000
    const { user, system } = process.cpuUsage(cpu)
    return { perSecond, cpuMicros: (user + system) / asked }
  }
}

function rowsOf(what: string, samples: Sample[]): Row[] {
  return [
    row({ case: 'names', what, unit: '1/s' }, spread(samples.map(({ perSecond }) => perSecond))),
    row({ case: 'names', what: `${what}, CPU of one`, unit: 'µs' }, spread(samples.map(({ cpuMicros }) => cpuMicros)))
  ]
}

function table(): ClusterNames {
  const services = new Map<string, ServiceRecord>()
  for (let n = 0; n < SERVICES; n++) {
    services.set(`service-${n}`, {
      namespace: NAMESPACE,
      name: `service-${n}`,
      kind: 'ClusterIP',
      addresses: [`10.96.${n >> 8}.${n & 255}`],
      ports: [{ name: 'http', protocol: 'tcp', port: 80 }],
      endpoints: [],
      externalName: ''
    })
  }
  return {
    domain: DOMAIN,
    namespace: NAMESPACE,
    complete: true,
    service: (namespace, name) => (namespace === NAMESPACE ? services.get(name) : undefined),
    hasNamespace: namespace => namespace === NAMESPACE
  }
}

/** The cluster's DNS, without a cluster. */
function answerOf(message: Uint8Array): Uint8Array {
  const { id = 0, questions = [] } = decode(Buffer.from(message))
  const [question] = questions
  const answers = question ? [{ type: 'A' as const, name: question.name, ttl: 30, data: '10.244.1.9' }] : []
  return encode({ type: 'response', id, flags: 0x8400, questions, answers })
}
