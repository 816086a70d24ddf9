// The router of a mesh beside nginx, and what both cost those who did not ask for them: in one namespace, over loopback.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleAgent } from '../../scripts/bundle-agent.ts'
import { Namespace, whyNoNamespace } from '../../test/_support/netns.ts'
import type { Case, Context } from '../harness/case.ts'
import { descendsFrom, processes } from '../harness/cpu.ts'
import { Generator } from '../harness/generator.ts'
import { againstWay, figures, interleave, type Measured, rowsByWay } from '../harness/rounds.ts'
import { type Goal, type Row, row } from '../harness/rows.ts'
import { paired, pairs, spread } from '../harness/statistics.ts'
import { undoable } from '../harness/undo.ts'
import { HTTP_PORT } from '../traffic/ports.ts'
import type { RoundTripRequest, RoundTripResult } from '../traffic/round-trips.ts'
import { nginxCommand } from '../ways/nginx.ts'
import { end, Unavailable, type Way, waitForLine } from '../ways/way.ts'

const SERVER = fileURLToPath(new URL('../traffic/server.ts', import.meta.url))
const ROUTER_PORT = 8081
const NGINX_PORT = 8082
const READY_MS = 10_000
/** As in the pod. */
const FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=96']
const DIRECT = 'direct'
const ROUTER = 'router'
const NGINX = 'nginx'

interface Measure {
  what: string
  kind: RoundTripRequest['kind']
  concurrency: number
  /** Of the router against direct, and against nginx. */
  goals: { direct?: Goal; nginx?: Goal }
  of: 'perSecond' | 'p50'
}

const MEASURES: Measure[] = [
  { what: 'request, keep-alive', kind: 'request', concurrency: 1, of: 'p50', goals: {} },
  {
    what: 'requests, keep-alive, 32 at once',
    kind: 'request',
    concurrency: 32,
    of: 'perSecond',
    goals: { direct: { of: 'ratio', least: 0.5 }, nginx: { of: 'ratio', least: 0.7 } }
  },
  {
    what: 'requests, each on a new connection, 32 at once',
    kind: 'request-new',
    concurrency: 32,
    of: 'perSecond',
    goals: {}
  }
]
/** More than time allows. */
const MANY = 10_000_000
/** What the router may add at p50, ms. */
const ADDED: Goal = { of: 'value', most: 0.5 }

export const router: Case = {
  name: 'router',
  title: 'requests through the router of a mesh, and through nginx, beside the direct way',
  run: async context => {
    const reason = whyNoNamespace()
    if (reason !== undefined) {
      context.note(`router: not measured, ${reason}`)
      return []
    }
    const namespace = new Namespace()
    const remove = undoable(() => namespace.remove())
    const children: ChildProcess[] = []
    const start = (program: string, args: string[], env: Record<string, string> = {}): ChildProcess => {
      const child = spawn('ip', ['netns', 'exec', namespace.name, program, ...args], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe']
      })
      children.push(child)
      return child
    }
    const generator = new Generator(args =>
      spawn('ip', ['netns', 'exec', namespace.name, process.execPath, ...args], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc']
      })
    )
    const endAll = undoable(async () => {
      generator.close()
      await Promise.all(children.map(child => end(child)))
    })
    try {
      start(process.execPath, [SERVER])
      const ways = [way(DIRECT, HTTP_PORT, generator), await openRouter(start, generator)]
      await addNginx(context, ways, start, generator)
      const things = MEASURES.map(each => ({ what: each.what, measure: (by: Way) => sample(context, by, each) }))
      const results = await interleave(context, ways, things)
      return MEASURES.flatMap((measure, index) => rowsOf(measure, results[index]!, ways))
    } finally {
      await endAll()
      await remove()
    }
  }
}

type Start = (program: string, args: string[], env?: Record<string, string>) => ChildProcess

function way(name: string, port: number, generator: Generator, child?: ChildProcess): Way {
  return {
    name,
    generator,
    pids: child?.pid === undefined ? [] : [child.pid],
    target: () => ({ host: '127.0.0.1', port }),
    close: async () => {}
  }
}

async function openRouter(start: Start, generator: Generator): Promise<Way> {
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-router-'))
  undoable(() => rmSync(folder, { recursive: true, force: true }))
  const [agent, routes] = [join(folder, 'agent.cjs'), join(folder, 'routes.json')]
  writeFileSync(agent, await bundleAgent())
  const route = {
    name: 'abcde',
    owner: 'bench',
    match: [{ header: 'VERSION', exact: 'abcde' }],
    to: { host: '127.0.0.1', ports: { [ROUTER_PORT]: HTTP_PORT } },
    mirror: false
  }
  const ports = [{ port: ROUTER_PORT, network: 'tcp', original: HTTP_PORT }]
  writeFileSync(
    routes,
    JSON.stringify({ version: 1, service: 'bench', originals: '127.0.0.1', ports, routes: [route] })
  )
  const child = start(process.execPath, [...FLAGS, agent], { KT_ROLE: 'router', KT_ROUTES: routes })
  await waitForLine(child, READY_MS, line => (line.startsWith('ready') ? true : undefined))
  return way(ROUTER, ROUTER_PORT, generator, child)
}

async function addNginx(context: Context, ways: Way[], start: Start, generator: Generator): Promise<void> {
  try {
    const { program, args, env, remove } = await nginxCommand(NGINX_PORT, HTTP_PORT)
    undoable(remove)
    const child = start(program, args, env)
    const nginx = way(NGINX, NGINX_PORT, generator, child)
    const one = { kind: 'request-new', target: nginx.target('http')!, count: 1, concurrency: 1, limitMs: 100 } as const
    const deadline = performance.now() + READY_MS
    while ((await generator.order('roundTrips', one)).samples === 0) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Unavailable('nginx does not start')
    }
    ways.push(nginx)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    context.note(error.message)
  }
}

interface Sample extends RoundTripResult {
  /** CPU of the one in the middle, µs for each request. */
  cpuMicros: number
}

async function sample(context: Context, each: Way, { kind, concurrency }: Measure): Promise<Sample> {
  const target = each.target('http')!
  const before = cpuSeconds(each.pids)
  const limitMs = context.seconds * 1000
  const result = await each.generator.order('roundTrips', { kind, target, count: MANY, concurrency, limitMs })
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.samples} requests failed`)
  return { ...result, cpuMicros: ((cpuSeconds(each.pids) - before) / result.samples) * 1e6 }
}

function rowsOf({ what, of, goals }: Measure, measured: Measured<Sample>, ways: Way[]): Row[] {
  const values = figures(measured, value => value[of])
  const unit = of === 'p50' ? 'ms' : '1/s'
  const rates = rowsByWay(values, each => ({ case: 'router', what: `${what}, ${of}: ${each.name}`, unit }), {
    against: againstWay(values, ways[0]!),
    goal: each => (each.name === ROUTER ? goals.direct : undefined)
  })
  const cpuWhere = (each: Way) => ({ case: 'router', what: `${what}, CPU of one: ${each.name}`, unit: 'µs' })
  const cpu = rowsByWay(
    new Map([...figures(measured, value => value.cpuMicros)].filter(([each]) => each.name !== DIRECT)),
    cpuWhere
  )
  const [direct, ours, nginx] = [DIRECT, ROUTER, NGINX].map(
    name => [...values].find(([each]) => each.name === name)?.[1]
  )
  const rows = [...rates, ...cpu]
  if (ours === undefined) return rows
  if (of === 'p50' && direct !== undefined) {
    const added = spread(pairs(ours, direct).map(([a, b]) => a - b))
    rows.push(row({ case: 'router', what: `${what}, added at p50: ${ROUTER}`, unit }, added, { goal: ADDED }))
  }
  if (nginx !== undefined) {
    const where = { case: 'router', what: `${what}, ${of}, against nginx: ${ROUTER}`, unit }
    rows.push(row(where, spread(ours.flat()), { against: paired(ours, nginx), goal: goals.nginx }))
  }
  return rows
}

/** Of these processes and their descendants, so far. */
function cpuSeconds(pids: readonly number[]): number {
  const all = processes()
  const ours = new Set(pids.flatMap(pid => [...descendsFrom(pid, all)]))
  return all.filter(({ pid }) => ours.has(pid)).reduce((sum, { seconds }) => sum + seconds, 0)
}
