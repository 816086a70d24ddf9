// npm run bench [-- CASE…] [--json FILE] [--against FILE] [--quick] [--rounds N] [--soak 1h] [--cluster ID]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { device } from './cases/device.ts'
import { distance } from './cases/distance.ts'
import { growth } from './cases/growth.ts'
import { latency } from './cases/latency.ts'
import { mux } from './cases/mux.ts'
import { names } from './cases/names.ts'
import { relay } from './cases/relay.ts'
import { router } from './cases/router.ts'
import { stack } from './cases/stack.ts'
import { agreement, earlierRows } from './harness/agree.ts'
import type { Case, Context } from './harness/case.ts'
import { chart } from './harness/chart.ts'
import { circumstances } from './harness/machine.ts'
import { table } from './harness/report.ts'
import type { Row } from './harness/rows.ts'
import { Testbed } from './harness/testbed.ts'
import { undoAll } from './harness/undo.ts'

const CASES: Case[] = [device, stack, mux, names, router, relay, latency, distance, growth]
const RESULTS = join(import.meta.dirname, 'results')
/** Of a measurement, seconds: short enough for eight rivals in each round, long enough that its beginning does not count. */
const SECONDS = 1.2
/** With three, the spreads of two equal runs are apart in one of ten lines; with five, in one of 126. */
const ROUNDS = 5
const QUICK_SECONDS = 0.5
/** What a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130

interface Flags {
  json?: string
  against?: string
  quick: boolean
  rounds: number
  soak: number
  cluster: number
}

const program = new Command('npm run bench --')
  .description(
    `Measures kt side by side with its rivals.\n\n${CASES.map(({ name, title }) => `${name.padEnd(10)}${title}`).join('\n')}`
  )
  .argument('[case...]', 'which ones (default: all)')
  .option('--json <file>', 'write all rows as JSON, too')
  .option('--against <file>', 'compare with the JSON of an earlier run: do the spreads of the ratios meet?')
  .option('--quick', 'about a second each: does it run?', false)
  .option('--rounds <number>', 'how often each thing is measured', positive, ROUNDS)
  .option('--soak <time>', 'run `growth` for so long, for example 1h', duration, 0)
  .option('--cluster <id>', 'number of the test cluster', clusterId, 3)
  .action((names: string[], flags: Flags) => main(names, flags))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    console.error(`\n${signal}: ending what was started`)
    void undoAll().then(() => process.exit(INTERRUPTED))
  })
}
try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(names: string[], flags: Flags): Promise<void> {
  const unknown = names.find(name => !CASES.some(each => each.name === name))
  if (unknown !== undefined)
    throw new Error(`no case ${unknown}; there are: ${CASES.map(({ name }) => name).join(' ')}`)
  // Read first: a run takes a quarter of an hour.
  const against = flags.against === undefined ? '' : basename(flags.against)
  const earlier = flags.against === undefined ? undefined : earlierRows(readFileSync(flags.against, 'utf8'), against)
  let bed: Promise<Testbed> | undefined
  const context: Context = {
    quick: flags.quick,
    rounds: flags.quick ? 1 : flags.rounds,
    seconds: flags.quick ? QUICK_SECONDS : SECONDS,
    soakMs: flags.soak,
    testbed: () => {
      bed ??= Testbed.open(flags.cluster)
      return bed
    },
    progress: text => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
    },
    note: text => console.log(`note: ${text}`)
  }
  const rows: Row[] = []
  try {
    for (const each of CASES.filter(({ name }) => names.length === 0 || names.includes(name))) {
      rows.push(...(await runCase(each, context)))
    }
  } finally {
    await undoAll()
  }
  if (earlier !== undefined) console.log(agreement(rows, earlier, against))
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(rows, null, 2)}\n`)
}

async function runCase(each: Case, context: Context): Promise<Row[]> {
  const rows = await each.run(context)
  context.progress('')
  console.log(`\n${each.name}: ${each.title}\n${circumstances()}\n\n${table(rows)}\n`)
  if (!context.quick) {
    mkdirSync(RESULTS, { recursive: true })
    writeFileSync(join(RESULTS, `${each.name}.svg`), chart(`${each.name}: ${each.title}`, circumstances(), rows))
  }
  return rows
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A number from 1 on.')
  return value
}

function clusterId(text: string): number {
  return text === '0' ? 0 : positive(text)
}

function duration(text: string): number {
  const [, count, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? []
  if (unit === undefined) throw new InvalidArgumentError('For example 90s, 10m or 1h.')
  return Number(count) * { s: 1000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
}
