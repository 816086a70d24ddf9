// `kt clean`: removes what nobody keeps alive, services put back first.
import { Command, InvalidArgumentError } from 'commander'
import { demandRights } from '../kube/api/access.ts'
import { loadCluster } from '../kube/api/client.ts'
import { rightsOf } from '../kube/api/rights.ts'
import { describeExpired, findExpired, removeExpired } from '../kube/traffic/clean.ts'
import { findRemains } from '../kube/traffic/recover.ts'
import { recoverLaptop } from '../session/laptop.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

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
    .addHelpText(
      'after',
      `
Examples:
  kt clean --dryRun                             what would be done
  kt clean -n shop --thresholdInMinus 30        what has been silent for half an hour
  sudo kt clean --localOnly                     resolver and journal of this laptop`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<CleanFlags>()
      const lines = flags.dryRun ? [] : await recoverLaptop()
      if (!flags.localOnly) lines.push(...(await clean(flags)))
      const mark = flags.dryRun ? ' ' : '✓'
      const text = lines.map(line => `${mark} ${line}\n`).join('') || 'No unavailing kt resource found (^.^)YYa!!\n'
      print(flags.output, { dryRun: flags.dryRun ?? false, lines }, text)
      done(0)
    })
}

async function clean({ thresholdInMinus, dryRun, ...flags }: CleanFlags): Promise<string[]> {
  const cluster = await loadCluster(flags)
  try {
    await demandRights(cluster, { name: 'clean', rights: namespace => rightsOf('clean', namespace) })
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
