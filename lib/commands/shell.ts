// `kt shell`: one program, or a shell, for which the cluster is on the network. The rest of the laptop stays as it is.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import type { CarrierKind } from '../kube/api/client.ts'
import { shell } from '../session/shell.ts'
import { childWith } from './env.ts'
import { agentOptions, graceFlag } from './exposing.ts'
import { inForeground } from './foreground.ts'
import type { GlobalFlags } from './global.ts'
import { type ReachFlags, reachFlags, reachOptions } from './reach.ts'

interface ShellFlags extends GlobalFlags, ReachFlags {
  grace?: number
  carrierMaxAge?: number
  carrier?: CarrierKind
  envFrom?: string
}

export function shellCommand(done: (code: number) => void): Command {
  return reachFlags(graceFlag(new Command('shell')))
    .description('run a program, or a shell, that has the cluster on its network; without root')
    .option('--env-from <target>', 'the environment of a pod, as kt env prints it')
    .usage('[options] [-- COMMAND ...]')
    .addHelpText(
      'after',
      `
Examples:
  kt shell                                     $SHELL, until exit
  kt shell -- curl http://nginx.demo           one program; its exit code is that of kt
  kt shell -n shop --env-from deploy/shop -- node server.js
  kt shell --context staging                   beside another one, also where both have the same addresses
Names and addresses of the cluster work for every program in it, all other connections are made as without kt. 127.0.0.1 is its
own there, that of this computer is 198.18.0.3. KT_SHELL is the context and namespace, for a prompt.`
    )
    .action(async (_: unknown, command: Command) => {
      done(await runShell(command.optsWithGlobals<ShellFlags>()))
    })
}

async function runShell(flags: ShellFlags): Promise<number> {
  if (process.platform !== 'linux') {
    throw new KtError('KT_PLATFORM', `kt shell does not run on ${process.platform}: it has no network namespaces`, {
      hint: 'kt up --socks works everywhere'
    })
  }
  const { behind = [], envFrom, debug = false } = flags
  const words = behind.length > 0 ? behind : [process.env.SHELL || '/bin/sh']
  const child = await childWith(flags, words, envFrom)
  // One program is to look as if it was run directly.
  const quiet = flags.quiet || (behind.length > 0 && !debug)
  const options = { ...agentOptions(flags), ...reachOptions(flags) }
  return await inForeground(
    { ...flags, quiet },
    (report, stop) =>
      shell(options, report, stop, entrance => {
        child.within(entrance.words)
        child.give(entrance.environment)
      }),
    child
  )
}
