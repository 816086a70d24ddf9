// `kt forward`: ports of this laptop lead to something in the cluster until it is told to stop.
import { Command } from 'commander'
import { parsePairs } from '../kube/forward-target.ts'
import { forward } from '../session/forward.ts'
import { detach, detachedLog } from './detach.ts'
import { DEFAULT_IMAGE, inForeground } from './foreground.ts'
import type { GlobalFlags } from './global.ts'

interface ForwardFlags extends GlobalFlags {
  detach?: boolean
}

export function forwardCommand(done: (code: number) => void): Command {
  return new Command('forward')
    .description('lead ports of this laptop to a service, a pod or a host of the cluster, until Ctrl-C')
    .argument('<target>', 'SERVICE, service/X, pod/X, deployment/X, statefulset/X, a host name or an address')
    .argument('[ports...]', '[local:]remote, number or name; a service with one port needs none')
    .option('-D, --detach', 'go to the background once everything works')
    .addHelpText(
      'after',
      `
Needs no root. Examples:
  kt forward web                         its only port, under the same number
  kt forward web 8080:80 9090:metrics    several ports; by number or by name
  kt forward pod/db-0 5432               a pod, also when it is made anew
  kt forward deploy/web 8080             one of its pods that are ready
  kt forward db.internal.example 5432    whatever the cluster can reach`
    )
    .action(async (target: string, ports: string[], _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ForwardFlags>()
      const pairs = parsePairs(ports)
      if (flags.detach) return await detach(flags.output, 'forward')
      const options = {
        kubeconfig: flags.kubeconfig,
        context: flags.context,
        namespace: flags.namespace,
        image: flags.image ?? DEFAULT_IMAGE,
        target,
        pairs,
        calls: flags.debug ?? false,
        log: detachedLog()
      }
      done(await inForeground(flags, (report, stop) => forward(options, report, stop)))
    })
}
