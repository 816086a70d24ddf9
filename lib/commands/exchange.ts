// `kt exchange`: a service of the cluster is served by a program on this laptop until it is told to stop.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { demandSelectorTarget, parseTarget } from '../kube/target.ts'
import { exchange } from '../session/exchange.ts'
import { detach } from './detach.ts'
import { type ExposingFlags, exposingFlags, exposingOptions } from './exposing.ts'
import { inForeground } from './foreground.ts'

interface ExchangeFlags extends ExposingFlags {
  mode: string
  takeover?: boolean
  fallback?: boolean
}

export function exchangeCommand(done: (code: number) => void): Command {
  return exposingFlags(new Command('exchange'))
    .description('let a program on this laptop serve a service of the cluster, until Ctrl-C')
    .argument('<target>', 'NAME of a service, or service/NAME, deployment/NAME, statefulset/NAME')
    .option('--mode <mode>', 'how traffic is led here: selector', 'selector')
    .option('--takeover', 'take a service whose owner has been silent')
    .option('--fallback', 'what the local program refuses goes to the original pods')
    .addHelpText(
      'after',
      `
Examples:
  kt exchange web --expose 8080                 port (or target port) 8080 of service web comes to 127.0.0.1:8080
  kt exchange web --expose 3000:80              port 80 comes to 127.0.0.1:3000
  kt exchange web --expose 3000:http,9090:grpc  ports by name, several
  kt exchange dns --expose 5353:53/udp          UDP
  kt exchange deploy/web -n shop --expose 192.168.1.5:3000:80
Ports that are not exposed go on to the original pods, and all of them do while this laptop is away.`
    )
    .action(async (text: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ExchangeFlags>()
      const target = parseTarget(text)
      demandSelectorTarget(target)
      demandMode(flags.mode)
      if (flags.detach) return await detach(flags.output, 'exchange')
      const { takeover = false, fallback = false, expose = '' } = flags
      const options = { ...exposingOptions(flags), target, expose, takeover, fallback }
      done(await inForeground(flags, (report, stop) => exchange(options, report, stop)))
    })
}

/** Those of kt-connect that are not built are refused, never taken for another one. */
function demandMode(mode: string): void {
  if (mode === 'selector') return
  const known = mode === 'scale' || mode === 'ephemeral'
  throw new KtError('KT_USAGE', known ? `--mode ${mode} is not there yet` : `there is no --mode ${mode}`, {
    hint: 'the default, --mode selector, leaves the original pods running and leads new connections here'
  })
}
