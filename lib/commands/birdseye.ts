// `kt birdseye`: who exchanges, meshes and previews what in a namespace, and who is connected.
import { Command, Option } from 'commander'
import { loadCluster } from '../kube/api/client.ts'
import { type Birdseye, birdseye, type Participant, type SeenService } from '../kube/traffic/birdseye.ts'
import { findRemains } from '../kube/traffic/recover.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'
import { table } from './table.ts'

interface BirdseyeFlags extends GlobalFlags {
  sortBy: 'status' | 'name'
  showConnector?: boolean
  hideNaturalService?: boolean
}

export function birdseyeCommand(): Command {
  return new Command('birdseye')
    .description('who exchanges, meshes and previews what in the namespace, since when, last seen when')
    .addOption(new Option('--sortBy <what>', 'what the list begins with').choices(['status', 'name']).default('status'))
    .option('--showConnector', 'also who is connected by kt up')
    .option('--hideNaturalService', 'leave out the services that nobody has')
    .addHelpText(
      'after',
      `
Examples:
  kt birdseye -n shop
  kt birdseye --hideNaturalService --showConnector
  kt birdseye --output json | jq '.services[] | select(.state != "normal")'`
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<BirdseyeFlags>()
      const cluster = await loadCluster(flags)
      try {
        const seen = birdseye(await findRemains(cluster))
        const services = sorted(seen.services, flags)
        const connectors = flags.showConnector ? seen.connectors : []
        print(
          flags.output,
          { namespace: cluster.namespace, services, connectors },
          text({ services, connectors }, flags)
        )
      } finally {
        cluster.close()
      }
    })
}

function sorted(services: SeenService[], { sortBy, hideNaturalService }: BirdseyeFlags): SeenService[] {
  const order = ['meshed', 'exchanged', 'previewing', 'normal']
  const shown = hideNaturalService ? services.filter(({ state }) => state !== 'normal') : services
  if (sortBy === 'name') return shown
  return [...shown].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
}

function text({ services, connectors }: Birdseye, { showConnector }: BirdseyeFlags): string {
  const rows = services.flatMap(({ service, state, mode, by }) => {
    const what = mode === '' ? state : `${state} (${mode})`
    if (by.length === 0) return [[service, what, '', '', '']]
    return by.map(one => [service, one.version === '' ? what : `${what} ${one.version}`, ...whoAndWhen(one)])
  })
  const list = table(['SERVICE', 'STATUS', 'BY', 'SINCE', 'LAST SEEN'], rows) || 'no services\n'
  if (!showConnector) return list
  const people = table(['CONNECTED', 'SINCE', 'LAST SEEN', 'POD'], connectors.map(connector))
  return `${list}\n${people || 'nobody is connected\n'}`
}

function connector(one: Participant): string[] {
  return [...whoAndWhen(one), one.pod]
}

function whoAndWhen({ user, host, since, silentSeconds }: Participant): string[] {
  return [
    host === '' ? user : `${user}@${host}`,
    since === '' ? '' : new Date(since).toLocaleString('sv'),
    silentSeconds === null ? 'never' : `${silentSeconds} s ago`
  ]
}
