// `kt up`: joins the laptop to the cluster until it is told to stop.
import { Command, InvalidArgumentError } from 'commander'
import { parseDnsMode } from '../session/dns-mode.ts'
import { checkLaptop } from '../session/laptop.ts'
import { up } from '../session/up.ts'
import { detach, detachedLog } from './detach.ts'
import { DEFAULT_IMAGE, inForeground } from './foreground.ts'
import { commaList, type GlobalFlags } from './global.ts'

interface UpFlags extends GlobalFlags {
  excludeIps?: string[]
  includeIps?: string[]
  disablePodIp?: boolean
  dnsMode: string
  dnsCacheTtl?: number
  clusterDomain?: string
  includeDomains?: string[]
  detach?: boolean
}

export function upCommand(done: (code: number) => void): Command {
  return new Command('up')
    .alias('connect')
    .description('put this laptop and the cluster on one network, until Ctrl-C')
    .option('--excludeIps <list>', 'addresses and ranges that stay outside, comma separated', commaList)
    .option('--includeIps <list>', 'further addresses and ranges to route, comma separated', commaList)
    .option('--disablePodIp', 'do not route pod addresses')
    .option(
      '--dnsMode <mode>',
      'localDNS: names are answered by kt; hosts[:ns1,ns2]: written into /etc/hosts; none: nothing is changed',
      'localDNS'
    )
    .option('--dnsCacheTtl <seconds>', "how long an answer of the cluster's DNS is kept at most (default: 30)", seconds)
    .option('--clusterDomain <domain>', "the cluster's domain (default: as the cluster says)", domain)
    .option('--includeDomains <list>', "further domains that the cluster's DNS is asked for, comma separated", domains)
    .option('-D, --detach', 'go to the background once connected')
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
  sudo kt up -D; curl http://nginx; kt down    in the background`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<UpFlags>()
      if (flags.detach) {
        await detach(flags.output)
        return
      }
      done(await runUp(flags))
    })
}

function seconds(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('a number of seconds is expected')
  return Number(value)
}

/** Lower case, without dots at its ends. */
function domain(value: string): string {
  const name = value.toLowerCase().replace(/^\.|\.$/g, '')
  if (!/^([-_a-z0-9]{1,63}\.)*[-_a-z0-9]{1,63}$/.test(name)) throw new InvalidArgumentError('a domain is expected')
  return name
}

function domains(value: string, before: string[] = []): string[] {
  return [...before, ...commaList(value).map(domain)]
}

async function runUp(flags: UpFlags): Promise<number> {
  const { mode, notes } = parseDnsMode(flags.dnsMode)
  checkLaptop()
  const options = {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace: flags.namespace,
    image: flags.image ?? DEFAULT_IMAGE,
    excludeIps: flags.excludeIps ?? [],
    includeIps: flags.includeIps ?? [],
    disablePodIp: flags.disablePodIp ?? false,
    dnsMode: mode,
    dnsCacheTtl: flags.dnsCacheTtl,
    clusterDomain: flags.clusterDomain,
    includeDomains: flags.includeDomains ?? [],
    log: detachedLog()
  }
  return await inForeground(flags, async (report, stop) => {
    for (const text of notes) report({ event: 'warning', text })
    await up(options, report, stop)
  })
}
