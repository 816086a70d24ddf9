// `kt clean`: removes what nobody keeps alive, services put back first.
import { Command, InvalidArgumentError } from 'commander'
import { describeExpired, findExpired, removeExpired } from '../kube/clean.ts'
import { loadCluster } from '../kube/client.ts'
import { findRemains } from '../kube/recover.ts'
import { recoverLaptop } from '../session/laptop.ts'
import type { GlobalFlags } from './global.ts'

interface CleanFlags extends GlobalFlags {
  thresholdInMinus: number
  dryRun?: boolean
  localOnly?: boolean
}

export function cleanCommand(done: (code: number) => void): Command {
  return new Command('clean')
    .description('remove what kt or kt-connect has left in the namespace and nobody keeps alive any more')
    .option('--thresholdInMinus <minutes>', 'silent for longer than this counts as left', minutes, 5)
    .option('--dryRun', 'only say what would be done')
    .option('--localOnly', 'only this laptop, not the cluster')
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<CleanFlags>()
      const lines = flags.dryRun ? [] : await recoverLaptop()
      if (!flags.localOnly) lines.push(...(await clean(flags)))
      if (flags.output === 'json') process.stdout.write(`${JSON.stringify({ dryRun: flags.dryRun ?? false, lines })}\n`)
      else if (lines.length > 0) for (const line of lines) process.stdout.write(`${flags.dryRun ? ' ' : '✓'} ${line}\n`)
      else process.stdout.write('No unavailing kt resource found (^.^)YYa!!\n')
      done(0)
    })
}

async function clean({ thresholdInMinus, dryRun, ...flags }: CleanFlags): Promise<string[]> {
  const cluster = await loadCluster(flags)
  try {
    const remains = await findRemains(cluster)
    const expired = findExpired(remains, thresholdInMinus * 60)
    return dryRun ? describeExpired(expired) : await removeExpired(cluster, expired, remains)
  } finally {
    cluster.close()
  }
}

function minutes(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('a number of minutes is expected')
  return Number(value)
}
