// `kt up`: joins the laptop to the cluster until it is told to stop.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { checkLaptop } from '../session/laptop.ts'
import { parseDnsMode } from '../session/network/dns-mode.ts'
import { proxy } from '../session/proxy.ts'
import type { Report } from '../session/report.ts'
import { up } from '../session/up.ts'
import type { Child } from './child.ts'
import { detach } from './detach.ts'
import { childWith } from './env.ts'
import { agentOptions, exchangeWish, type LocalFlags, localFlags, localOptions, previewWish } from './exposing.ts'
import { inForeground } from './foreground.ts'
import { type ReachFlags, reachFlags, reachOptions } from './reach.ts'
import { type ProxyFlags, proxyFlags, proxyWish } from './up-proxy.ts'

interface UpFlags extends LocalFlags, ProxyFlags, ReachFlags {
  exchange?: string[]
  preview?: string[]
  takeover?: boolean
  fallback?: boolean
  dnsMode: string
  allowConflict?: boolean
  envFrom?: string
  detach?: boolean
}

export function upCommand(done: (code: number) => void): Command {
  return reachFlags(proxyFlags(localFlags(new Command('up'))))
    .alias('connect')
    .description('put this laptop and the cluster on one network, until Ctrl-C')
    .option(
      '--dnsMode <mode>',
      'localDNS: names are answered by kt; hosts[:ns1,ns2]: written into /etc/hosts; none: nothing is changed',
      'localDNS'
    )
    .option('--allowConflict', "also route what the laptop's own network or another kt has")
    .option(
      '--exchange <target:ports>',
      'also let this laptop serve a service, as kt exchange does; may be repeated',
      each
    )
    .option('--preview <name:ports>', 'also offer a new service, as kt preview does; may be repeated', each)
    .option('--takeover', 'take exchanged services whose owner has been silent')
    .option('--fallback', 'what a local program refuses goes to the original pods')
    .option('--env-from <target>', 'of the program behind --: the environment of a pod, as kt env prints it')
    .option('-D, --detach', 'go to the background once connected')
    .usage('[options] [-- COMMAND ...]')
    .addHelpText(
      'after',
      `
Examples:
  sudo kt up                                   the current context and its namespace
  sudo kt up -n shop                           short names are those of namespace shop
  sudo kt up -c ~/.kube/dev --context dev      another cluster
  sudo kt up --excludeIps 10.96.8.0/24         leave a range to the laptop's own network
  sudo kt up --dnsMode hosts:shop,pay          names in /etc/hosts, the laptop's resolver as it is
  sudo kt up --includeDomains corp.internal    names that only the cluster's DNS knows
  sudo kt up --image registry.example/node:22  where docker.io cannot be reached
  sudo kt up --exchange shop:3000:80 --preview pay-next:9090
                                               the network, and two services of the cluster served here
  sudo kt up -D; curl http://nginx; kt down    in the background
  sudo kt up -- npm test                       runs a program once connected, and ends with its exit code
  sudo kt up --env-from deploy/shop -- node server.js
                                               the same, with the environment of a pod of shop
  kt up --socks                                without root: a proxy; kt env --proxy tells programs
  kt up --socks -- curl http://nginx           the same for one program, which is told by its environment`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<UpFlags>()
      if (flags.detach) {
        await detach(flags)
        return
      }
      done(await runUp(flags))
    })
}

const each = (value: string, before: string[] = []): string[] => [...before, value]

async function runUp(flags: UpFlags): Promise<number> {
  const { mode, notes } = parseDnsMode(flags.dnsMode)
  const { takeover = false, fallback = false } = flags
  const wish = proxyWish(flags)
  if (wish === undefined) await checkLaptop()
  const options = {
    ...agentOptions(flags),
    ...localOptions(flags),
    exchanges: (flags.exchange ?? []).map(text => exchangeWish(text, { takeover, fallback })),
    previews: (flags.preview ?? []).map(previewWish),
    ...reachOptions(flags),
    dnsMode: mode
  }
  const child = await childOf(flags)
  if (wish !== undefined)
    return await inForeground(
      flags,
      (report, stop) => {
        const told: Report = event => {
          if (event.event === 'proxy') child?.give(event.environment)
          report(event)
        }
        return proxy({ ...options, ...wish }, told, stop)
      },
      child
    )
  return await inForeground(
    flags,
    async (report, stop) => {
      for (const text of notes) report({ event: 'warning', text })
      await up({ ...options, allowConflict: flags.allowConflict ?? false }, report, stop)
    },
    child
  )
}

/** The program behind `--`, if there is one. */
async function childOf(flags: UpFlags): Promise<Child | undefined> {
  const { behind = [], envFrom } = flags
  if (behind.length > 0) return await childWith(flags, behind, envFrom)
  if (envFrom === undefined) return undefined
  throw new KtError('KT_USAGE', '--env-from is for a program', {
    hint: `sudo kt up --env-from ${envFrom} -- COMMAND; kt env ${envFrom} prints it`
  })
}
