// npm run test:e2e [-- AREA…]: the tests that need a real cluster. Starts it, runs AVA for each area, takes it down.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { build } from '../cluster/build.ts'
import { down } from '../cluster/down.ts'
import { existingCluster } from '../cluster/existing.ts'
import { requireMachine, UnfitMachine } from '../cluster/machine.ts'
import { runningNamespaces } from '../cluster/processes.ts'
import { interrupt } from '../cluster/run.ts'
import { cacheDirectory, clusterSettings } from '../cluster/settings.ts'
import { Steps } from '../cluster/steps.ts'
import { up } from '../cluster/up.ts'
import { type Area, CLUSTERS, type ClusterName, findAreas } from './_support/areas.ts'
import { type Counts, summary, tapCounts } from './_support/counts.ts'
import { kubectl } from './_support/kubectl.ts'
import { kubeconfig, ownKubeconfig } from './_support/laptop.ts'

const cache = cacheDirectory(process.env)
const steps = new Steps()
const ROOT = join(import.meta.dirname, '../..')
const AVA = join(dirname(fileURLToPath(import.meta.resolve('ava'))), 'cli.js')
/** Exit code of a shell for a program that Ctrl-C ended. */
const INTERRUPTED = 130
/** What a program gets to end by itself when the run is interrupted. */
const GRACE_MS = 10_000

/** A namespace with pods takes some seconds to go. */
const SETTLE_MS = 60_000

interface Options {
  keep: boolean
}

const program = new Command('npm run test:e2e --')
  .description(
    'Tests on a real cluster, which is started for them and taken down afterwards. KT_TEST_KUBECONFIG uses another one.'
  )
  .argument('[areas...]', 'folders of test/e2e; default: all of them')
  .option('--keep', 'leave the cluster running, and use one that runs', false)
  .action(main)

/** The area's tests under way, for an interruption to end. */
let ava: ChildProcess | undefined

async function main(names: string[], { keep }: Options): Promise<void> {
  const areas = chosen(names)
  const builtIn = ownKubeconfig() === undefined
  const clusters = !builtIn ? [] : [...new Set(areas.flatMap(area => area.clusters))]
  if (builtIn) await requireMachine(join(cache, 'bin'))
  const work = runAreas(areas, clusters, keep)
  let interruption: Promise<void> | undefined
  const interrupted = (signal: string): void => {
    process.stdout.write(`${signal}: ending the tests\n`)
    interruption = endTests(work)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupted)
  const result = await work.catch((error: unknown) => error)
  await interruption
  if (!keep) await takeDown(clusters)
  if (interruption !== undefined) process.exit(INTERRUPTED)
  if (!Array.isArray(result)) throw result
  const counts: Counts[] = result
  process.stdout.write(`${summary(counts)}\n`)
  process.exitCode = counts.every(({ failed }) => failed === 0) ? 0 : 1
}

/** End AVA, or the start of a cluster, whichever is under way; returns when `work` has settled. */
async function endTests(work: Promise<unknown>): Promise<void> {
  ava?.kill('SIGTERM')
  const timer = setTimeout(() => ava?.kill('SIGKILL'), GRACE_MS)
  await interrupt(work)
  clearTimeout(timer)
}

function chosen(names: string[]): Area[] {
  const areas = findAreas(import.meta.dirname)
  const unknown = names.filter(name => !areas.some(area => area.name === name))
  if (unknown.length === 0) return names.length === 0 ? areas : areas.filter(({ name }) => names.includes(name))
  throw new UnfitMachine(`no such area: ${unknown.join(', ')}; there are: ${areas.map(({ name }) => name).join(', ')}`)
}

async function runAreas(areas: Area[], clusters: ClusterName[], keep: boolean): Promise<Counts[]> {
  if (clusters.length > 0) await build(cache, steps)
  for (const name of clusters) await bringUp(name, keep)
  const counts: Counts[] = []
  for (const area of areas) {
    steps.say(`area ${area.name}`)
    const result = await runAva(area)
    await settled()
    counts.push(result)
    process.stdout.write(`${summary([result])}\n`)
  }
  return counts
}

/** Start a cluster; what an interrupted run has left of it goes first. */
async function bringUp(name: ClusterName, keep: boolean): Promise<void> {
  const settings = clusterSettings(CLUSTERS[name], cache)
  if (keep && runningNamespaces(settings) === settings.nodes + 1) return steps.say(`cluster ${settings.id} is running`)
  await up(settings, cache, steps)
}

/** What an area has deleted is gone before the next one looks at the whole cluster. */
async function settled(): Promise<void> {
  for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; await sleep(500)) {
    const phases = await kubectl(['get', 'namespaces', '-o', 'jsonpath={.items[*].status.phase}'])
    if (!phases.includes('Terminating')) return
  }
}

async function takeDown(clusters: ClusterName[]): Promise<void> {
  for (const name of clusters) await down(existingCluster(CLUSTERS[name].id, cache), cache)
}

async function runAva(area: Area): Promise<Counts> {
  const args = [
    AVA,
    '--config',
    join(import.meta.dirname, 'ava.config.js'),
    '--tap',
    `--concurrency=${area.concurrency}`,
    `test/e2e/${area.name}/**/*.test.ts`
  ]
  const env = { ...process.env, KUBECONFIG: kubeconfig() }
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], env })
  ava = child
  let tap = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    tap += text
    process.stdout.write(text)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  ava = undefined
  return tapCounts(tap, code ?? 1)
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UnfitMachine)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
