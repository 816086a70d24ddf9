// The first process of each namespace, started and ended by its id and its start time.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.ts'
import type { Settings } from './settings.ts'
import { until } from './steps.ts'

const END_MS = 5000
/** How long programs in a laptop may take to put things back before they are killed. */
const POLITE_MS = 3000

/**
 * Start a script as process 1 of new mount, process and host name namespaces inside a network namespace. It outlives us.
 * Its id is on disk before anything can interrupt: `down` finds it.
 */
export function startNamespace(settings: Settings, netns: string, script: string, env: Record<string, string>): void {
  const runDirectory = join(settings.state, 'run')
  mkdirSync(runDirectory, { recursive: true })
  const log = openSync(join(settings.state, 'log', `${netns}.log`), 'a')
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--uts', '--mount-proc']
  const args = [`--net=/run/netns/${netns}`, 'unshare', ...namespaces, 'bash', script]
  const child = spawn('nsenter', args, { detached: true, stdio: ['ignore', log, log], env: { ...process.env, ...env } })
  child.on('error', () => {}) // seen as a cluster that does not become ready
  child.unref()
  if (child.pid !== undefined)
    writeFileSync(join(runDirectory, `${netns}.pid`), `${child.pid} ${startTime(child.pid)}\n`)
}

/** Kill what {@link startNamespace} has started: `--kill-child` takes each whole process namespace with it. */
export async function endNamespaces(settings: Settings): Promise<void> {
  const runDirectory = join(settings.state, 'run')
  const ours = pidFiles(runDirectory).filter(isOurs)
  for (const { pid } of ours) process.kill(pid, 'SIGKILL')
  await until('ending the cluster', END_MS, () => !ours.some(isOurs))
  rmSync(runDirectory, { recursive: true, force: true })
}

/** How many first processes of this cluster run. */
export function runningNamespaces(settings: Settings): number {
  return pidFiles(join(settings.state, 'run')).filter(isOurs).length
}

/** End the programs in the laptop's network namespace, which all came there through `laptop`. */
export async function endLaptop(settings: Settings): Promise<void> {
  const inside = async (): Promise<number[]> => {
    const ids = await run('ip', ['netns', 'pids', settings.laptop]).catch(() => '') // no such laptop
    return ids.split('\n').filter(Boolean).map(Number)
  }
  for (const pid of await inside()) signal(pid, 'SIGTERM')
  await until('', POLITE_MS, async () => (await inside()).length === 0).catch(() => {})
  for (const pid of await inside()) signal(pid, 'SIGKILL')
  await until('ending the programs of the laptop', END_MS, async () => (await inside()).length === 0)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {} // it has ended by itself
}

interface PidFile {
  pid: number
  started: string
}

function pidFiles(directory: string): PidFile[] {
  if (!existsSync(directory)) return []
  const files = readdirSync(directory).filter(name => name.endsWith('.pid'))
  return files.map(name => {
    const [pid = '', started = ''] = readFileSync(join(directory, name), 'utf8').trim().split(' ')
    return { pid: Number(pid), started }
  })
}

/** Still the process that was started then, and not another one that got its id. */
function isOurs({ pid, started }: PidFile): boolean {
  return started !== '' && startTime(pid) === started
}

/** Clock ticks from boot to the start of a process; empty when there is none or only its corpse. */
function startTime(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? '' : fields[19]!
  } catch {
    return ''
  }
}
