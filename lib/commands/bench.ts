// `kt bench`: how fast the way to this cluster is, bare and with kt.
import { Command, InvalidArgumentError } from 'commander'
import { type BenchFigure, bench, type Spread, verdicts } from '../session/bench.ts'
import { agentOptions } from './exposing.ts'
import { inForeground } from './foreground.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'
import { table } from './table.ts'

interface BenchFlags extends GlobalFlags {
  seconds: number
  rounds: number
}

/** What a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130

export function benchCommand(done: (code: number) => void): Command {
  return new Command('bench')
    .description('measure your cluster: what a bare port-forward carries, and what kt carries over it')
    .option('--seconds <number>', 'of one transfer', upTo60, 3)
    .option('--rounds <number>', 'how often each thing is measured', upTo60, 3)
    .addHelpText(
      'after',
      `
Needs no root. Makes a shadow pod of its own, moves bytes between it and this computer, and removes it; nothing else is touched.
"Bare" is one port-forward straight to a port of that pod, by the client that kt uses itself. The device of kt up is not part of
either: it costs about 0.2 s of CPU time per GiB more.
Examples:
  kt bench
  kt bench --seconds 10 --output json`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<BenchFlags>()
      let figures: BenchFigure[] | undefined
      // Programs get the result alone; people see how it comes about.
      const quiet = flags.quiet === true || flags.output !== 'text'
      const code = await inForeground({ ...flags, output: 'text', quiet }, async (report, stop) => {
        figures = await bench({ ...agentOptions(flags), seconds: flags.seconds, rounds: flags.rounds }, report, stop)
      })
      if (figures === undefined) return done(INTERRUPTED)
      print(flags.output, { figures, verdicts: verdicts(figures) }, text(figures))
      done(code)
    })
}

function text(figures: readonly BenchFigure[]): string {
  const rows = figures.map(({ what, unit, bare, kt, ratio }) => [
    what,
    cell(bare, unit),
    cell(kt, unit),
    `${ratio.toFixed(2)} ×`
  ])
  const lines = verdicts(figures).map(line => `${line}\n`)
  return `\n${table(['', 'bare port-forward', 'kt', 'ratio'], rows)}\n${lines.join('')}`
}

function cell({ median, min, max }: Spread, unit: string): string {
  const digits = unit === 'ms' ? 2 : median < 10 ? 1 : 0
  return `${median.toFixed(digits)} ${unit} (${min.toFixed(digits)} … ${max.toFixed(digits)})`
}

function upTo60(value: string): number {
  if (!/^([1-9]|[1-5]\d|60)$/.test(value)) throw new InvalidArgumentError('a number from 1 to 60 is expected')
  return Number(value)
}
