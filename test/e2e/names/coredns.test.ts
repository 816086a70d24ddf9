// Every name × type of a generated population: kt's resolver and the cluster's CoreDNS say the same, but for a list of meant differences.
import test from 'ava'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn } from '../_support/laptop.ts'
import { askInCluster, askOnLaptop, type Question } from './_support/ask.ts'
import { ENDPOINT_LABELS, MANUAL_ADDRESSES, manifest, NAMESPACES, POPULATION } from './_support/population.ts'
import type { Told } from './_support/told.ts'

const DOMAIN = 'cluster.local'
const TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'TXT', 'MX', 'NS', 'SOA', 'PTR', 'ANY']
/** Host names below a service are asked for with fewer types: what differs by type is seen at the service itself. */
const FEW = ['A', 'AAAA', 'SRV', 'TXT']
/** What is made is known to CoreDNS and to us after so long at the latest. */
const SETTLED_MS = 3000

interface Difference {
  /** Why kt answers otherwise. */
  reason: string
  means(question: Question, ours: Told, theirs: Told): boolean
}

/** Beside these there are the TTLs: 5 s for what is read from the watch, CoreDNS's own for what it is asked. */
const MEANT: Difference[] = [
  {
    reason:
      "CoreDNS's plugin `hosts` stands before `kubernetes` and reads its own pod's /etc/hosts: its own address has the name of its pod. \
The specification wants the name of the endpoint, which is what kt says",
    means: ([, type], ours, theirs) =>
      type === 'PTR' &&
      /kube-dns\./.test(ours.answers.join()) &&
      /ptr "coredns-[-a-z0-9]+"$/.test(theirs.answers.join())
  }
]

/** The built-in cluster has images for the population, and a node from which CoreDNS is asked. */
const onCluster = builtIn ? test.serial : test.serial.skip
let kt: RunningKt | undefined

test.before(async () => {
  if (!builtIn) return
  await kubectl(['apply', '-f', '-'], { input: manifest() })
  const [namespace] = NAMESPACES
  await kubectl(['-n', namespace, 'wait', 'pod/early', '--for=condition=Ready', '--timeout=120s'])
  const podAddress = 'jsonpath={.status.podIP}'
  await kubectl(['-n', namespace, 'wait', 'pod/late', `--for=${podAddress}`, '--timeout=120s'])
  kt = await startKt(['--namespace', 'demo', '--debug'])
  await new Promise(resolve => setTimeout(resolve, SETTLED_MS))
})
test.after.always(async () => {
  await kt?.stop()
  if (builtIn) await kubectl(['delete', 'namespace', ...NAMESPACES, '--wait=false', '--ignore-not-found'])
})

async function questions(): Promise<Question[]> {
  const asked: Question[] = []
  const ask = (name: string, types = TYPES): void => void asked.push(...types.map((type): Question => [name, type]))
  for (const [service, namespace] of POPULATION) {
    const name = `${service}.${namespace}.svc.${DOMAIN}`
    ask(name)
    for (const port of [
      '_http._tcp',
      '_metrics._tcp',
      '_dns._udp',
      '_syslog._udp',
      '_diameter._sctp',
      '_nope._tcp',
      '_tcp'
    ])
      ask(`${port}.${name}`, FEW)
    for (const label of [...ENDPOINT_LABELS, '*', 'a.b.c']) ask(`${label}.${name}`, FEW)
  }
  for (const [service, namespace] of POPULATION.slice(0, 8))
    ask(`${service}.${namespace}.SVC.Cluster.Local`.toUpperCase(), FEW)
  for (const name of [
    '',
    'svc.',
    'pod.',
    'ns.dns.',
    'dns-version.',
    'x.',
    'a.b.',
    '10-244-1-5.demo.pod.',
    'nobody.demo.pod.',
    '10-9-9-9.nowhere.pod.'
  ])
    ask(`${name}${DOMAIN}`)
  for (const namespace of [...NAMESPACES, 'demo', 'default', 'nowhere', '*']) {
    ask(`${namespace}.svc.${DOMAIN}`)
    ask(`nothing.${namespace}.svc.${DOMAIN}`, FEW)
    ask(`kubernetes.${namespace}.svc.${DOMAIN}`)
    ask(`${namespace}.pod.${DOMAIN}`, FEW)
  }
  for (const address of await addresses())
    ask(`${address.split('.').reverse().join('.')}.in-addr.arpa`, ['PTR', 'A', 'TXT'])
  return asked
}

/** Of all services and pods, of the manual endpoints, and some that nobody has. */
async function addresses(): Promise<string[]> {
  const services = await kubectl(['get', 'services', '-A', '-o', 'jsonpath={.items[*].spec.clusterIP}'])
  const pods = await kubectl(['get', 'pods', '-A', '-o', 'jsonpath={.items[*].status.podIP}'])
  const all = `${services} ${pods}`.split(/\s+/).filter(address => /^10\./.test(address))
  return [...new Set([...all, ...MANUAL_ADDRESSES, '10.96.255.200', '10.244.1.199'])]
}

const DIFFERING = ['rcode', 'authoritative', 'answers', 'authorities', 'additionals'] as const

/** What of two answers is not the same. */
function differing(ours: Told, theirs: Told): string[] {
  return DIFFERING.filter(part => JSON.stringify(ours[part]) !== JSON.stringify(theirs[part]))
}

onCluster('the same rcode and the same record sets as CoreDNS, for every name and type', async t => {
  t.timeout(240_000)
  t.true(POPULATION.length >= 40)
  const asked = await questions()
  t.true(asked.length >= 500)
  const theirs = await askInCluster(asked)
  const ours = await askOnLaptop(asked)
  const unused = new Set(MEANT)
  const wrong: string[] = []
  for (const [i, question] of asked.entries()) {
    const parts = differing(ours[i]!, theirs[i]!)
    if (parts.length === 0) continue
    const meant = MEANT.find(each => each.means(question, ours[i]!, theirs[i]!))
    if (meant !== undefined) unused.delete(meant)
    else
      wrong.push(
        `${question.join(' ')}: ${parts.join(', ')}\n  kt      ${JSON.stringify(ours[i])}\n  CoreDNS ${JSON.stringify(theirs[i])}`
      )
  }
  const records = ours.filter(({ answers }) => answers.length > 0).length
  const bySource = (source: string): number =>
    kt!
      .output()
      .split('\n')
      .filter(line => line.includes(`"source":"${source}"`)).length
  t.log(
    `${POPULATION.length} services, ${asked.length} questions, ${records} with records, ${wrong.length} differences`
  )
  t.log(`from the watch: ${bySource('watch')}, from the cluster's DNS: ${bySource('cluster')}`)
  t.deepEqual(wrong.slice(0, 20), [])
  t.deepEqual(
    [...unused].map(({ reason }) => reason),
    [],
    'differences that are no more'
  )
  t.true(records >= 200, 'most of the population is found')
})
