// Callers inside the cluster: many requests on new connections, and who answered each.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { kubectl } from '../../_support/kubectl.ts'
import { collect, spawnOnLaptop } from '../../_support/laptop.ts'
import { eventually } from '../../up/_support/eventually.ts'
import { inPod, NAMESPACE } from './ground.ts'

/** The longest that a machine with much else to do takes for what takes a second at rest: kube-proxy, the controllers. */
export const SOON_MS = 20_000
const CALLER = readFileSync(join(import.meta.dirname, '../peers/caller.mjs'), 'utf8')

export interface Answer {
  /** When it was asked, ms since the epoch. */
  at: number
  /** 'local', 'pod NAME' or 'error CODE'. */
  by: string
}

/** Callers that go on until they are told to stop; then all answers, in the order of the questions. */
export interface Callers {
  stop(): Promise<Answer[]>
}

/** They ask `url` every `intervalMs` from a pod, each time on a new connection. */
export function startCalls(url: string, intervalMs: number): Callers {
  const { child, answers } = begin(url, intervalMs, 'eof')
  return {
    stop() {
      child.stdin.end()
      return answers
    }
  }
}

/** Ask `url` every `intervalMs` for `forMs` from a pod; begins at once, resolves when all answers are there. */
async function call(url: string, intervalMs: number, forMs: number): Promise<Answer[]> {
  const { child, answers } = begin(url, intervalMs, String(forMs))
  child.stdin.end()
  return await answers
}

function begin(
  url: string,
  intervalMs: number,
  until: string
): { child: ChildProcessWithoutNullStreams; answers: Promise<Answer[]> } {
  const args = ['-n', NAMESPACE, 'exec', '-i', 'deployment/caller', '--', 'node', '--input-type=module', '-e', CALLER]
  const child = spawnOnLaptop('kubectl', [...args, url, String(intervalMs), until])
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const answers = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`the callers ended with ${code}: ${stderr()}`)
    return stdout()
      .split('\n')
      .filter(Boolean)
      .map(line => ({ at: Number(line.split(' ')[0]), by: line.slice(line.indexOf(' ') + 1) }))
      .sort((a, b) => a.at - b.at)
  })
  answers.catch(() => {}) // whoever waits for them is told
  return { child, answers }
}

/** `http://` and the ClusterIP of a service, for many requests: its DNS name would be one more thing to fail, and does not change. */
export async function urlOf(service: string): Promise<string> {
  const address = await kubectl(['-n', NAMESPACE, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}'])
  return `http://${address}/`
}

/** Those who answered 20 requests in a row, each once, in alphabetical order; a pod's name is left out. */
export async function whoAnswers(url: string): Promise<string> {
  const answers = await call(url, 10, 200)
  const names = new Set(answers.map(({ by }) => by.replace(/^pod .*/, 'pod')))
  return [...names].sort((a, b) => a.localeCompare(b)).join(', ')
}

/** A headless service is heard of when the callers' DNS answer expires, after 30 s. */
const DNS_MS = 30_000

/** Before long `who` alone answers at `url`. */
export async function becomes(t: ExecutionContext, url: string, who: 'local' | 'pod'): Promise<void> {
  const limitMs = SOON_MS + (url.includes('headless') ? DNS_MS : 0)
  t.is(await eventually(who, limitMs, () => whoAnswers(url)), who, url)
}

/** Before long both answer so. */
export async function becomesTcpAndUdp(t: ExecutionContext, host: string, answers: string): Promise<void> {
  t.is(await eventually(answers, SOON_MS, () => tcpAndUdp(host)), answers)
}

/** What TCP port 7000 and UDP port 7000 of a host answer to `hi`: `hi, local hi`. */
export async function tcpAndUdp(host: string): Promise<string> {
  const script = `
    const { connect } = require('node:net'), { createSocket } = require('node:dgram')
    const s = connect(7000, '${host}', () => s.end('hi')); let tcp = ''
    s.on('data', d => { tcp += d }); s.on('error', e => { tcp = e.code })
    s.on('close', () => {
      const u = createSocket('udp4'); const done = udp => { console.log(tcp + ', ' + udp); u.close(); clearTimeout(t) }
      const t = setTimeout(() => done('silence'), 3000)
      u.on('message', m => done(String(m))); u.send('hi', 7000, '${host}')
    })`
  return (await inPod(script)).trim()
}
