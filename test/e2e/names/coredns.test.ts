// Every name × type of a generated population: kt's resolver and the cluster's CoreDNS say the same, but for a list of meant differences.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { ClusterName } from '../_support/areas.ts'
import { startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn } from '../_support/laptop.ts'
import { askInCluster, askOnLaptop, type Question } from './_support/ask.ts'
import { manifest, NAMESPACES, POPULATION } from './_support/population.ts'
import { questions } from './_support/questions.ts'
import type { Told } from './_support/told.ts'

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

async function populate(cluster: ClusterName): Promise<void> {
  const [namespace] = NAMESPACES
  const apply = (args: string[], input?: string): Promise<string> =>
    kubectl(args, { cluster, timeoutMs: 130_000, ...(input !== undefined && { input }) })
  await apply(['delete', 'namespace', ...NAMESPACES, '--ignore-not-found', '--timeout=120s'])
  await apply(['apply', '-f', '-'], manifest())
  await apply(['-n', namespace, 'wait', 'pod/early', '--for=condition=Ready', '--timeout=120s'])
  await apply(['-n', namespace, 'wait', 'pod/late', '--for=jsonpath={.status.podIP}', '--timeout=120s'])
}

const PARTS = ['rcode', 'authoritative', 'answers', 'authorities', 'additionals'] as const

/** What of two answers is not the same. */
function differing(ours: Told, theirs: Told): string[] {
  return PARTS.filter(part => JSON.stringify(ours[part]) !== JSON.stringify(theirs[part]))
}

/** Differences that are not meant, as text; meant ones that were seen leave `unseen`. */
function compare(asked: Question[], ours: Told[], theirs: Told[], unseen: Set<Difference>): string[] {
  return asked.flatMap((question, i) => {
    const [our, their] = [ours[i]!, theirs[i]!]
    const parts = differing(our, their)
    if (parts.length === 0) return []
    const meant = MEANT.find(each => each.means(question, our, their))
    if (meant === undefined)
      return `${question.join(' ')}: ${parts.join()}\n  kt ${JSON.stringify(our)}\n  CoreDNS ${JSON.stringify(their)}`
    unseen.delete(meant)
    return []
  })
}

async function sameAnswers(t: ExecutionContext, cluster: ClusterName): Promise<void> {
  t.timeout(400_000)
  t.true(POPULATION.length >= 40)
  await populate(cluster)
  const kt = await startKt(['--namespace', 'demo', '--debug'], { cluster })
  try {
    await delay(SETTLED_MS)
    const asked = await questions(cluster)
    t.true(asked.length >= 500)
    const theirs = await askInCluster(asked, cluster)
    const ours = await askOnLaptop(asked, cluster)
    const unseen = new Set(MEANT)
    const wrong = compare(asked, ours, theirs, unseen)
    const records = ours.filter(({ answers }) => answers.length > 0).length
    const from = (source: string): number => kt.output().split(`"source":"${source}"`).length - 1
    t.log(`${POPULATION.length} services, ${asked.length} questions, ${records} with records, ${wrong.length} differ`)
    t.log(`${from('watch')} answered from the watch, ${from('cluster')} by the cluster's DNS`)
    t.deepEqual(wrong.slice(0, 20), [])
    t.deepEqual([...unseen], [], 'differences that are no more')
    t.true(records >= 200, 'most of the population is found')
    t.true(from('watch') > asked.length / 2, 'it is not CoreDNS that is compared with itself')
  } finally {
    await kt.stop()
    await kubectl(['delete', 'namespace', ...NAMESPACES, '--wait=false', '--ignore-not-found'], { cluster })
  }
}

/** The built-in clusters have images for the population, and a node from which CoreDNS is asked. */
const onCluster = builtIn ? test.serial : test.serial.skip

onCluster('the same rcode and the same record sets as CoreDNS, for every name and type', sameAnswers, 'main')
onCluster('the same on a cluster with IPv4 and IPv6', sameAnswers, 'dual-stack')
