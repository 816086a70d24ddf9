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

/** Ask from a pod; resolves when all answers are there. */
export async function ask({ service, requests = 1e9, intervalMs = 0, ...load }: Load): Promise<Answer[]> {
  const address = await kubectl(['-n', NAMESPACE, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}'])
  const words = JSON.stringify({ ...load, requests, intervalMs, url: `http://${address}/` })
  const args = ['-n', NAMESPACE, 'exec', '-i', 'deployment/caller', '--', 'node', '--input-type=module', '-', words]
  const child = spawnOnLaptop('kubectl', args)
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  child.stdin.end(REQUESTS)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the callers ended with ${code}: ${stderr()}`)
  return stdout()
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [at, version = '', ...by] = line.split(' ')
      return { at: Number(at), version, by: by.join(' ') }
    })
    .sort((a, b) => a.at - b.at)
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
