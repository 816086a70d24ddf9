// npm run bench -- --quick: every case runs and says what it is to say. How fast it was is not judged.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Row } from '../../../bench/harness/rows.ts'
import { run } from '../../cluster/run.ts'

const BENCH = join(import.meta.dirname, '../../../bench/run.ts')
const LIMIT_MS = 15 * 60_000

/** What somebody looks for in a case: a line of each kind, as far as this machine can have it. */
const LINES: Record<string, RegExp[]> = {
  device: [/offload/],
  stack: [/^down, 1 flow/, /^up, 16 flows/, /^CPU, /, /^added to a round trip/],
  mux: [/TLS/],
  names: [/./],
  router: [/^request, keep-alive, added at p50: router$/, /against nginx: router$/],
  relay: [
    /^down, 1 flow: kt up$/,
    /^up, 64 flows: kt up$/,
    /^both, 64 flows: kubectl/,
    /--carrier ssh$/,
    /^CPU, .*: agent$/
  ],
  latency: [
    /^echo of 64 bytes, p50: kt up$/,
    /^new connection/,
    /^request, keep-alive/,
    /^UDP echo/,
    /during a download/
  ],
  distance: [/at 20 ms: kt up$/, /at 80 ms: kubectl/, /^new connection .*80 ms/],
  growth: [
    /^connections that failed: 1 connections$/,
    /^memory of the agent: 100 connections$/,
    /^most memory of the client: 64 flows, up$/
  ]
}

async function rowsOf(t: ExecutionContext, cases: string[]): Promise<Row[]> {
  t.timeout(LIMIT_MS)
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'rows.json')
  // On a cluster of its own, which has one node.
  const { KUBECONFIG: _, ...env } = process.env
  await run(process.execPath, [BENCH, ...cases, '--quick', '--json', file], { env, timeoutMs: LIMIT_MS })
  return JSON.parse(readFileSync(file, 'utf8')) as Row[]
}

for (const cases of [
  ['device', 'stack', 'mux', 'names', 'router'],
  ['relay', 'latency', 'distance', 'growth']
]) {
  test.serial(cases.join(', '), async t => {
    const rows = await rowsOf(t, cases)
    t.deepEqual(
      rows.filter(({ value }) => !Number.isFinite(value)),
      []
    )
    const odd = rows.filter(({ ratio, ratioMin, ratioMax }) =>
      ratio === null ? ratioMin !== null || ratioMax !== null : !(ratioMin! <= ratio && ratio <= ratioMax!)
    )
    t.deepEqual(odd, [])
    for (const name of cases) {
      const whats = rows.filter(row => row.case === name).map(({ what }) => what)
      const missing = LINES[name]!.filter(line => !whats.some(what => line.test(what)))
      t.deepEqual(missing, [], name)
    }
  })
}
