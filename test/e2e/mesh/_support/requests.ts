// Requests from inside the cluster, each for a version or for none, and who answered each.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubectl } from '../../_support/kubectl.ts'
import { collect, spawnOnLaptop } from '../../_support/laptop.ts'
import { NAMESPACE } from './ground.ts'

const REQUESTS = readFileSync(join(import.meta.dirname, '../peers/requests.mjs'), 'utf8')

export interface Load {
  service: string
  /** Kept alive, each busy with one request at a time. */
  connections: number
  /** At most so many in all. */
  requests?: number
  /** At most for so long. */
  forMs: number
  /** From one request of a connection to its next. */
  intervalMs?: number
  /** Values of the header VERSION; '' is none. */
  versions: string[]
}

export interface Answer {
  /** When it was asked, ms since the epoch. */
  at: number
  /** '-': none. */
  version: string
  /** 'local NAME', 'pod NAME' or 'error CODE'. */
  by: string
}

const IN_POD = ['-n', NAMESPACE, 'exec', '-i', 'deployment/caller', '--', 'node']

/** Callers who go on until they are told, or have asked enough. */
export interface Callers {
  /** Every answer there will be. */
  answers: Promise<Answer[]>
  /** End them now; the same answers. */
  end(): Promise<Answer[]>
}

/** Let a pod ask; resolves when it does. */
export async function callers({ service, requests = 1e9, intervalMs = 0, ...load }: Load): Promise<Callers> {
  const address = await kubectl(['-n', NAMESPACE, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}'])
  const words = JSON.stringify({ ...load, requests, intervalMs, url: `http://${address}/` })
  const child = spawnOnLaptop('kubectl', [...IN_POD, '--input-type=module', '-', words])
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  child.stdin.end(REQUESTS)
  const answers = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`the callers ended with ${String(code)}: ${stderr()}`)
    const [, ...lines] = stdout().split('\n').filter(Boolean)
    return lines.map(parse).sort((a, b) => a.at - b.at)
  })
  answers.catch(() => {}) // whoever waits for them hears of it
  await Promise.race([once(child.stdout, 'data'), answers])
  const end = async (): Promise<Answer[]> => {
    const [pid] = stdout().split('\n')
    await kubectl([...IN_POD, '--eval', `process.kill(${pid})`])
    return await answers
  }
  return { answers, end }
}

/** The same to their end: all answers. */
export async function ask(load: Load): Promise<Answer[]> {
  return (await callers(load)).answers
}

function parse(line: string): Answer {
  const [at, version = '', ...by] = line.split(' ')
  return { at: Number(at), version, by: by.join(' ') }
}

/** Who answers ten requests of a version on a new connection, each once; a pod's name is left out. */
export async function whoAnswers(service: string, version: string): Promise<string> {
  const answers = await ask({ service, connections: 1, requests: 10, forMs: 20_000, versions: [version] })
  return [...new Set(answers.map(({ by }) => by.replace(/^pod .*/, 'pod')))]
    .sort((a, b) => a.localeCompare(b))
    .join(', ')
}

/** Answers that are errors, as text with the time since the first. */
export function errorsOf(answers: Answer[]): string[] {
  const since = answers[0]?.at ?? 0
  return answers
    .filter(({ by }) => by.startsWith('error'))
    .map(({ at, version, by }) => `${by} for ${version} at ${at - since} ms`)
}

/** Answers to `version` between two moments that did not come from `by`; what is asked near a moment may go either way. */
export function wrong(
  answers: Answer[],
  version: string,
  by: string,
  from = 0,
  to = Number.POSITIVE_INFINITY
): string[] {
  return answers
    .filter(answer => answer.version === version && answer.at > from + 500 && answer.at < to - 500)
    .filter(answer => !answer.by.startsWith(by))
    .map(answer => `${answer.version} at ${answer.at}: ${answer.by}`)
}
