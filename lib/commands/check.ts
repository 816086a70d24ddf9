// `kt check`: would kt up work here, and if not, why and what to do.
import { Command } from 'commander'
import { check } from '../check/check.ts'
import type { Finding, Verdict } from '../check/finding.ts'
import { clusterOptions } from './cluster-options.ts'
import type { GlobalFlags } from './global.ts'
import { coloursFor, print } from './output.ts'

/** All of it together; a cluster that answers so slowly is no help. */
const LIMIT_MS = 60_000

export function checkCommand(done: (code: number) => void): Command {
  return new Command('check')
    .description('look at this computer and the cluster: would kt up work, and if not, what to do')
    .addHelpText(
      'after',
      `
✓ in order · ! kt up works, but something is wrong · ✗ kt up would not work · – could not be found out
Exit code 0: kt up would work. 1: it would not.
Examples:
  sudo kt check
  sudo kt check -n shop --image registry.example/node:22
  kt check --output json | jq '.findings[] | select(.verdict == "fault")'`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<GlobalFlags>()
      const findings: Finding[] = []
      for await (const finding of check(clusterOptions(flags), AbortSignal.timeout(LIMIT_MS))) {
        findings.push(finding)
        const silent = flags.quiet && (finding.verdict === 'ok' || finding.verdict === 'unknown')
        if (flags.output === 'text' && !silent) process.stdout.write(text(finding))
      }
      const works = findings.every(({ verdict }) => verdict !== 'fault')
      if (flags.output !== 'text') print(flags.output, { works, findings }, '')
      else if (!flags.quiet) process.stdout.write(works ? 'kt up would work\n' : 'kt up would not work\n')
      done(works ? 0 : 1)
    })
}

function text({ check: what, verdict, text: said, fix }: Finding): string {
  const { green, yellow, red, dim, bold } = coloursFor(process.stdout)
  const marks: Record<Verdict, string> = { ok: green('✓'), warning: yellow('!'), fault: red('✗'), unknown: dim('–') }
  return `${marks[verdict]} ${bold(what.padEnd(15))} ${said}\n${fix === '' ? '' : `${' '.repeat(18)}${dim('→')} ${fix}\n`}`
}
