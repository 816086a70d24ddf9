// `kt forward`: ports of this laptop lead to something in the cluster until it is told to stop.
import { Command } from 'commander'
import { parsePairs } from '../kube/traffic/forward-target.ts'
import { forward } from '../session/forward.ts'
import { detach } from './detach.ts'
import { agentOptions, graceFlag } from './exposing.ts'
import { inForeground } from './foreground.ts'
import type { GlobalFlags } from './global.ts'

interface ForwardFlags extends GlobalFlags {
  grace?: number
  detach?: boolean
}

export function forwardCommand(done: (code: number) => void): Command {
  return graceFlag(new Command('forward'))
    .description('lead ports of this laptop to a service, a pod or a host of the cluster, until Ctrl-C')
    .argument(
      '<target>',
      'SERVICE, service/X, pod/X, deployment/X, statefulset/X, a host name (host/X without a dot) or an address'
    )
    .argument(
      '[ports...]',
      '[local:]remote, number or name, /udp behind it for UDP; a service with one port needs none'
    )
    .option('-D, --detach', 'go to the background once everything works')
    .addHelpText(
      'after',
      `
Needs no root. Examples:
  kt forward web                         its only port, under the same number
  kt forward web 8080:80 9090:metrics    several ports; by number or by name
  kt forward -n kube-system kube-dns 5353:53/udp
  kt forward pod/db-0 5432               a pod, also when it is made anew
  kt forward deploy/web 8080             one of its pods that are ready
  kt forward db.internal.example 5432    whatever the cluster can reach`
    )
    .action(async (target: string, ports: string[], _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ForwardFlags>()
      const pairs = parsePairs(ports)
      if (flags.detach) return await detach(flags, 'forward')
      const options = {
        ...agentOptions(flags),
        target,
        pairs,
        calls: flags.debug ?? false
      }
      done(await inForeground(flags, (report, stop) => forward(options, report, stop)))
    })
}
