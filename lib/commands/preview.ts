// `kt preview`: a program on this laptop becomes a new service of the cluster until it is told to stop.
import { Command } from 'commander'
import { preview } from '../session/traffic-in/preview.ts'
import { detach } from './detach.ts'
import { demandPreview, type ExposingFlags, exposingFlags, exposingOptions } from './exposing.ts'
import { inForeground } from './foreground.ts'

interface PreviewFlags extends ExposingFlags {
  external?: boolean
}

export function previewCommand(done: (code: number) => void): Command {
  return exposingFlags(new Command('preview'))
    .description('offer a program on this laptop to the cluster as a new service, until Ctrl-C')
    .argument('<name>', 'name of the new service')
    .option('--external', 'reachable from outside the cluster, by a load balancer')
    .addHelpText(
      'after',
      `
Examples:
  kt preview web-new --expose 8080              http://web-new:8080 in the cluster is 127.0.0.1:8080 here
  kt preview web-new --expose 3000:80,5353:53/udp`
    )
    .action(async (name: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<PreviewFlags>()
      const { expose = '' } = flags
      demandPreview(name, expose)
      if (flags.detach) return await detach(flags, 'preview')
      const options = { ...exposingOptions(flags), name, expose, external: flags.external ?? false }
      done(await inForeground(flags, (report, stop) => preview(options, report, stop)))
    })
}
