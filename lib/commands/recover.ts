// `kt recover`: puts services back from what the objects themselves say, whoever has left them.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { loadCluster } from '../kube/client.ts'
import { changedServices, findRemains, recoverService } from '../kube/recover.ts'
import { parseTarget } from '../kube/target.ts'
import { recoverLaptop } from '../session/laptop.ts'
import type { GlobalFlags } from './global.ts'

interface RecoverFlags extends GlobalFlags {
  all?: boolean
}

export function recoverCommand(done: (code: number) => void): Command {
  return new Command('recover')
    .description('put a service back that an exchange has changed, also one of kt-connect, whoever made it')
    .argument('[service]', 'NAME, or service/NAME')
    .option('--all', 'every service of the namespace')
    .action(async (text: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<RecoverFlags>()
      if ((text === undefined) !== (flags.all ?? false))
        throw new KtError('KT_USAGE', 'name one service, or give --all', { hint: 'kt recover SERVICE' })
      const lines = [...(await recoverLaptop()), ...(await recover(flags, text))]
      if (flags.output === 'json') process.stdout.write(`${JSON.stringify({ done: lines })}\n`)
      else if (lines.length > 0) for (const line of lines) process.stdout.write(`✓ ${line}\n`)
      else
        process.stdout.write(
          `${text === undefined ? 'no service is' : `${text} is not`} exchanged, there is nothing to put back\n`
        )
      done(0)
    })
}

async function recover(flags: RecoverFlags, text: string | undefined): Promise<string[]> {
  const target = text === undefined ? undefined : parseTarget(text)
  const cluster = await loadCluster(flags)
  try {
    const remains = await findRemains(cluster)
    const names = target === undefined ? changedServices(remains) : [target.name]
    const done: string[] = []
    for (const name of names) done.push(...(await recoverService(cluster, name, remains)))
    return done
  } finally {
    cluster.close()
  }
}
