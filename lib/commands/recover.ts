// `kt recover`: puts services back from what the objects themselves say, whoever has left them.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { demandRights } from '../kube/api/access.ts'
import { loadCluster } from '../kube/api/client.ts'
import { rightsOf } from '../kube/api/rights.ts'
import { changedServices, findRemains, recoverService } from '../kube/traffic/recover.ts'
import { parseTarget } from '../kube/traffic/target.ts'
import { recoverLaptop } from '../session/laptop.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

interface RecoverFlags extends GlobalFlags {
  all?: boolean
}

export function recoverCommand(done: (code: number) => void): Command {
  return new Command('recover')
    .description('put a service back that an exchange has changed, also one of kt-connect, whoever made it')
    .argument('[service]', 'NAME, or service/NAME')
    .option('--all', 'every service of the namespace')
    .addHelpText(
      'after',
      `
Examples:
  kt recover shop                               one service
  kt recover --all -n team                      every service of a namespace`
    )
    .action(async (text: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<RecoverFlags>()
      if ((text === undefined) !== (flags.all ?? false))
        throw new KtError('KT_USAGE', 'name one service, or give --all', { hint: 'kt recover SERVICE' })
      const lines = [...(await recoverLaptop()), ...(await recover(flags, text))]
      const nothing = `${text === undefined ? 'no service is' : `${text} is not`} exchanged, there is nothing to put back\n`
      print(flags.output, { done: lines }, lines.map(line => `✓ ${line}\n`).join('') || nothing)
      done(0)
    })
}

async function recover(flags: RecoverFlags, text: string | undefined): Promise<string[]> {
  const target = text === undefined ? undefined : parseTarget(text)
  const cluster = await loadCluster(flags)
  try {
    await demandRights(cluster, { name: 'recover', rights: namespace => rightsOf('recover', namespace) })
    const names = target === undefined ? changedServices(await findRemains(cluster)) : [target.name]
    const done: string[] = []
    // Each time anew: one exchange may have taken several services, which go back together.
    for (const name of names) done.push(...(await recoverService(cluster, name, await findRemains(cluster))))
    return done
  } finally {
    cluster.close()
  }
}
