// `kt exchange`: a service of the cluster is served by a program on this laptop until it is told to stop.
import { Command, Option } from 'commander'
import { KtError } from '../errors.ts'
import { demandSelectorTarget, parseTarget, type Target } from '../kube/traffic/target.ts'
import { type ExchangeMode, exchange } from '../session/traffic-in/exchange.ts'
import { RECOVER_WAIT_SECONDS } from '../session/traffic-in/exchange-scale.ts'
import { askPorts } from './ask-ports.ts'
import { detach } from './detach.ts'
import { type ExposingFlags, exposingFlags, exposingOptions } from './exposing.ts'
import { inForeground } from './foreground.ts'
import { seconds } from './global.ts'

interface ExchangeFlags extends ExposingFlags {
  mode: ExchangeMode
  recoverWaitTime: number
  takeover?: boolean
  fallback?: boolean
}

export function exchangeCommand(done: (code: number) => void): Command {
  return exposingFlags(new Command('exchange'))
    .description('let a program on this laptop serve a service of the cluster, until Ctrl-C')
    .argument('<target>', 'NAME of a service, or service/NAME, deployment/NAME, statefulset/NAME, pod/NAME')
    .addOption(
      new Option('--mode <mode>', 'how traffic is led here')
        .choices(['selector', 'scale', 'ephemeral'])
        .default('selector')
    )
    .option(
      '--recoverWaitTime <seconds>',
      '--mode scale: how long the original pods are waited for at the end',
      seconds,
      RECOVER_WAIT_SECONDS
    )
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
  kt exchange web --expose 3000:80 --mode scale
  kt exchange pod/web-0 --expose 3000:9000 --mode ephemeral

--mode selector   new connections come here, open ones stay. Ports that are not exposed go on to the original pods, and
                  all of them do while this laptop is away.
--mode scale      the Deployment or StatefulSet goes to 0 as well: open connections are cut, nothing of it runs beside.
                  Its pods are ready again before the exchange ends; after a crash, kt recover brings them back.
--mode ephemeral  a container in the pod itself listens at a port where nothing of the pod does.`
    )
    .action(async (text: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ExchangeFlags>()
      const target = parseTarget(text)
      demandFitting(flags, target)
      if (flags.detach) return await detach(flags, 'exchange')
      const { takeover = false, fallback = false, expose = '' } = flags
      const { mode, recoverWaitTime: recoverWaitSeconds } = flags
      const wish = { target, expose, takeover, fallback, mode, recoverWaitSeconds, ask: askPorts() }
      const options = { ...exposingOptions(flags), ...wish }
      done(await inForeground(flags, (report, stop) => exchange(options, report, stop)))
    })
}

/** What a mode cannot do is refused, never left out. Throws KT_USAGE. */
function demandFitting({ mode, fallback }: ExchangeFlags, target: Target): void {
  if (mode !== 'ephemeral') demandSelectorTarget(target)
  if (mode === 'selector' || !fallback) return
  throw new KtError('KT_USAGE', `--fallback needs the original pods beside: not with --mode ${mode}`, {
    hint: 'the default, --mode selector, leaves them running'
  })
}
