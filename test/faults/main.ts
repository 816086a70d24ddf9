// npm run test:faults [-- --quick] [--only NAME]… [--soak 1h --rate 200]: what can go wrong, on the built-in cluster.
import { Command, InvalidArgumentError } from 'commander'
import { build } from '../cluster/build.ts'
import { down } from '../cluster/down.ts'
import { requireMachine, UnfitMachine } from '../cluster/machine.ts'
import { cacheDirectory, clusterSettings } from '../cluster/settings.ts'
import { Steps } from '../cluster/steps.ts'
import { up } from '../cluster/up.ts'
import { CLUSTERS } from '../e2e/_support/areas.ts'
import { serviceAddress } from '../e2e/_support/demo.ts'
import { FAULTS, type Fault } from './catalog.ts'
import { blockServer, settings } from './ground.ts'
import { startCallers, stopCallers } from './load.ts'
import { soak } from './soak.ts'
import { tableOf } from './table.ts'
import { EXCHANGED, tryFault } from './try.ts'

const IMAGE = 'kt.local/node:20'
const steps = new Steps()

interface Options {
  only?: string[]
  quick: boolean
  soak?: number
  rate: number
  list?: boolean
}

const program = new Command('npm run test:faults --')
  .description('Faults on the built-in cluster while programs use it. KT_TEST_CLUSTER=ID uses one that runs.')
  .option('--only <names...>', 'faults whose name holds one of these words')
  .option('--quick', 'fewer cuts, smaller transfers, shorter silences', false)
  .option('--list', 'name the faults')
  .option('--soak <duration>', 'no faults: many connections for so long, as 90s, 30m or 1h', duration)
  .option('--rate <number>', 'new connections a second of the soak', Number, 200)
  .action(main)

function duration(text: string): number {
  const [, number, unit = 's'] = /^(\d+)([smh])?$/.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('A number with s, m or h behind it.')
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
}

async function main(options: Options): Promise<void> {
  const faults = chosen(options.only)
  if (options.list === true) return void process.stdout.write(faults.map(({ name }) => `${name}\n`).join(''))
  const own = process.env.KT_TEST_CLUSTER === undefined
  await requireMachine(settings().binaries)
  if (own) await bringUp()
  try {
    const well =
      options.soak === undefined ? await tryAll(faults, options.quick) : await soak(options.soak, options.rate)
    if (!well) process.exitCode = 1
  } finally {
    if (own) await down(settings(), cacheDirectory(process.env))
  }
}

function chosen(words: string[] | undefined): readonly Fault[] {
  if (words === undefined) return FAULTS
  const found = FAULTS.filter(({ name }) => words.some(word => name.includes(word)))
  if (found.length === 0) throw new UnfitMachine(`no fault is called ${words.join(' or ')}: --list names them`)
  return found
}

async function bringUp(): Promise<void> {
  const cache = cacheDirectory(process.env)
  await build(cache, steps)
  await up(clusterSettings(CLUSTERS.main, cache), cache, steps)
}

async function tryAll(faults: readonly Fault[], quick: boolean): Promise<boolean> {
  await (await blockServer('drop'))() // the first rule makes the table, which stays
  await startCallers(`http://${await serviceAddress(EXCHANGED)}`, IMAGE)
  const results = []
  for (const fault of faults) {
    steps.say(fault.name)
    const result = await tryFault(fault, quick).catch((error: Error) => ({
      ...{ fault: fault.name, noticedMs: undefined, healedMs: undefined, survived: '', wrong: 0, failed: '', said: '' },
      defects: [error.message]
    }))
    if ('defects' in result) for (const text of result.defects) process.stdout.write(`  ✗ ${text}\n`)
    results.push(result)
  }
  await stopCallers()
  process.stdout.write(`${tableOf(results)}\n`)
  return results.every(result => 'skipped' in result || result.defects.length === 0)
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UnfitMachine)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
