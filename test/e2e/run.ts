// npm run test:e2e [-- AREA…]: the tests that need a real cluster. Starts it, runs AVA for each area, takes it down.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { build } from '../cluster/build.ts'
import { down } from '../cluster/down.ts'
import { existingCluster } from '../cluster/existing.ts'
import { laptopVariables, onLaptop } from '../cluster/laptop.ts'
import { requireMachine, UnfitMachine } from '../cluster/machine.ts'
import { runningNamespaces } from '../cluster/processes.ts'
import { interrupt, run } from '../cluster/run.ts'
import { type Choice, cacheDirectory, clusterSettings } from '../cluster/settings.ts'
import { Steps } from '../cluster/steps.ts'
import { up } from '../cluster/up.ts'
import { type Area, CLUSTERS, findAreas, LANES } from './_support/areas.ts'
import { type Counts, failedFiles, failedTitles, failureDetails, summary, tapCounts, total } from './_support/counts.ts'
import { kubectl } from './_support/kubectl.ts'
import { ownKubeconfig } from './_support/laptop.ts'

const cache = cacheDirectory(process.env)
const steps = new Steps()
const ROOT = join(import.meta.dirname, '../..')
const AVA = join(dirname(fileURLToPath(import.meta.resolve('ava'))), 'cli.js')
/** Node keeps what it has compiled here: some hundred starts of kt from TypeScript take half of the CPU time then. */
const COMPILED = join(ROOT, 'node_modules/.cache/compiled')
/** Exit code of a shell for a program that Ctrl-C ended. */
const INTERRUPTED = 130
/** What a program gets to end by itself when the run is interrupted. */
const GRACE_MS = 10_000

/** A namespace with pods takes some seconds to go. */
const SETTLE_MS = 60_000

/**
 * Test files of one area that are run once more, each alone, when a test of theirs has failed: a node of a busy cluster
 * may be late for reasons that are not ours. More than these is no accident. What that was is said at the end.
 */
const SECOND_TRIES = 3

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

/** The tests under way, one process a lane, for an interruption to end. */
const running = new Set<ChildProcess>()

/** What failed, for the end of the output. */
const failures: string[] = []

/** One run of AVA. */
interface Run {
  tap: string
  counts: Counts
}

/** Areas that run one after the other on one cluster, beside the other lanes. */
interface Lane {
  id: number
  areas: Area[]
}

async function main(names: string[], { keep }: Options): Promise<void> {
  const areas = chosen(names)
  const builtIn = ownKubeconfig() === undefined
  const lanes = lanesOf(areas, builtIn)
  const clusters = builtIn ? clustersOf(lanes) : []
  if (builtIn) await requireMachine(join(cache, 'bin'))
  const work = runLanes(lanes, clusters, keep)
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
  for (const line of [...failures, summary(counts)]) process.stdout.write(`${line}\n`)
  process.exitCode = counts.every(({ failed }) => failed === 0) ? 0 : 1
}

/** End AVA, or the start of a cluster, whichever is under way; returns when `work` has settled. */
async function endTests(work: Promise<unknown>): Promise<void> {
  const end = (signal: NodeJS.Signals): void => running.forEach(child => void child.kill(signal))
  end('SIGTERM')
  const timer = setTimeout(end, GRACE_MS, 'SIGKILL')
  await interrupt(work)
  clearTimeout(timer)
}

function chosen(names: string[]): Area[] {
  const areas = findAreas(import.meta.dirname)
  const unknown = names.filter(name => !areas.some(area => area.name === name))
  if (unknown.length === 0) return names.length === 0 ? areas : areas.filter(({ name }) => names.includes(name))
  throw new UnfitMachine(`no such area: ${unknown.join(', ')}; there are: ${areas.map(({ name }) => name).join(', ')}`)
}

/** On a cluster of one's own there is one laptop, so one lane; `KT_TEST_CLUSTER` names the only one, too. */
function lanesOf(areas: Area[], builtIn: boolean): Lane[] {
  if (!builtIn || process.env.KT_TEST_CLUSTER !== undefined) return [{ id: CLUSTERS.main.id, areas }]
  return LANES.map((id, lane) => ({ id, areas: areas.filter(area => area.lane === lane) })).filter(
    lane => lane.areas.length > 0
  )
}

function clustersOf(lanes: Lane[]): Choice[] {
  const dualStack = lanes.some(({ areas }) => areas.some(({ clusters }) => clusters.includes('dual-stack')))
  return [...lanes.map(({ id }) => ({ ...CLUSTERS.main, id })), ...(dualStack ? [CLUSTERS['dual-stack']] : [])]
}

async function runLanes(lanes: Lane[], clusters: Choice[], keep: boolean): Promise<Counts[]> {
  if (clusters.length > 0) await build(cache, steps)
  for (const choice of clusters) await bringUp(choice, keep)
  const counts = await Promise.all(lanes.map(lane => runLane(lane, lanes.length > 1)))
  return counts.flat()
}

async function runLane({ id, areas }: Lane, beside: boolean): Promise<Counts[]> {
  const counts: Counts[] = []
  for (const area of areas) {
    steps.say(`area ${area.name}`)
    const result = await runArea(area, id, beside ? `${area.name}: ` : '')
    counts.push(result)
    steps.say(`area ${area.name}: ${summary([result])}`)
  }
  return counts
}

/** Start a cluster; what an interrupted run has left of it goes first. */
async function bringUp(choice: Choice, keep: boolean): Promise<void> {
  const settings = clusterSettings(choice, cache)
  if (keep && runningNamespaces(settings) === settings.nodes + 1) return steps.say(`cluster ${settings.id} is running`)
  await up(settings, cache, steps)
}

/** What an area has deleted is gone before the next one looks at the whole cluster. */
async function settled(id: number): Promise<void> {
  const asked = ['get', 'namespaces', '-o', 'jsonpath={.items[*].status.phase}']
  const settings = existingCluster(id, cache)
  const [program, args] = onLaptop(settings, ['kubectl', ...asked])
  const env = { ...process.env, ...laptopVariables(settings) }
  for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; await sleep(500)) {
    const phases = ownKubeconfig() === undefined ? await run(program, args, { env }) : await kubectl(asked)
    if (!phases.includes('Terminating')) return
  }
}

async function takeDown(clusters: Choice[]): Promise<void> {
  for (const { id } of clusters) await down(existingCluster(id, cache), cache)
}

/** The files of an area; those that failed once more. */
async function runArea(area: Area, id: number, prefix: string): Promise<Counts> {
  const directory = join(import.meta.dirname, area.name)
  const files = globSync('**/*.test.ts', { cwd: directory }).map(file => join(directory, file))
  const first = await runAva(files, area.concurrency, id, prefix)
  await settled(id)
  failures.push(...failureDetails(first.tap))
  const failed = failedFiles(first.tap, directory, files)
  if (first.counts.failed === 0) return first.counts
  if (failed === undefined || failed.size === 0 || failed.size > SECOND_TRIES) {
    for (const title of failedTitles(first.tap)) failures.push(`failed: ${area.name} › ${title}`)
    return first.counts
  }
  const again: Counts[] = []
  for (const file of failed.keys()) {
    steps.say(`once more: ${relative(ROOT, file)}`)
    const second = await runAva([file], 1, id, prefix)
    await settled(id)
    again.push(second.counts)
    failures.push(...failureDetails(second.tap))
    for (const title of failedTitles(second.tap)) failures.push(`failed twice: ${area.name} › ${title}`)
  }
  for (const title of failedTitles(first.tap)) failures.push(`failed at the first try: ${area.name} › ${title}`)
  const { passed } = total(failed.values())
  const sum = total(again)
  return { passed: first.counts.passed - passed + sum.passed, failed: sum.failed }
}

async function runAva(files: string[], concurrency: number, id: number, prefix: string): Promise<Run> {
  const args = [
    AVA,
    '--config',
    join(import.meta.dirname, 'ava.config.js'),
    '--tap',
    // The configuration's `serial` would be one file at a time. Within a file the order is that of test.serial.
    ...(concurrency > 1 ? ['--no-serial', `--concurrency=${concurrency}`] : []),
    ...files.map(file => relative(ROOT, file))
  ]
  const env = { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...kubeconfigOf(id), KT_TEST_CLUSTER: String(id) }
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], env })
  const closed = once(child, 'close') as Promise<[number | null]>
  running.add(child)
  let tap = ''
  for await (const line of createInterface({ input: child.stdout })) {
    tap += `${line}\n`
    process.stdout.write(`${prefix}${line}\n`)
  }
  const [code] = await closed
  running.delete(child)
  return { tap, counts: tapCounts(tap, code ?? 1) }
}

function kubeconfigOf(id: number): { KUBECONFIG: string } {
  return { KUBECONFIG: ownKubeconfig() ?? existingCluster(id, cache).kubeconfig }
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UnfitMachine)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
