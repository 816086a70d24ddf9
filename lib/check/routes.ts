// Which ranges kt up would route, and who else wants them.
import { overlapNotes, planRoutes } from '../host/plan.ts'
import { isKtDevice } from '../host/slots.ts'
import type { Cluster } from '../kube/api/client.ts'
import { discoverRanges } from '../kube/network/ranges.ts'
import { platform } from '../session/platform.ts'
import { type Finding, fault, ok, warning } from './finding.ts'

/** What only the agent will see is not known yet. */
const NO_FACTS = { serviceHost: '', podAddresses: [], resolvConf: '', routes: '' }

/** Routes of somebody else that overlap with the cluster's ranges, and own subnets inside of them. */
export async function checkRoutes(cluster: Cluster, signal: AbortSignal): Promise<Finding[]> {
  const [{ ranges, never }, laptop] = await Promise.all([
    discoverRanges(cluster, NO_FACTS, signal),
    platform.localNetworks()
  ])
  const { routes, notes } = planRoutes({
    ranges,
    include: [],
    exclude: [],
    never,
    local: laptop.subnets.filter(({ device }) => !isKtDevice(device))
  })
  const cidrs = ranges.map(({ cidr }) => cidr)
  const findings: Finding[] = []
  // What another kt has, kt up gives other addresses.
  for (const other of laptop.routes.filter(({ device }) => !isKtDevice(device))) {
    for (const note of overlapNotes(routes, [other])) {
      const fix = `--excludeIps ${other.cidr} leaves it to ${other.device}; or disconnect ${other.device} while you work`
      findings.push(other.before ? fault('routes', note, fix) : warning('routes', note, fix))
    }
  }
  for (const note of notes.filter(text => text.includes("the laptop's own subnet")))
    findings.push(
      warning(
        'routes',
        note.replace(/ \(--includeIps.*$/, ''),
        '--includeIps takes it in where it is the cluster you mean'
      )
    )
  return findings.length > 0 ? findings : [ok('routes', `nothing overlaps with ${cidrs.join(', ') || 'the cluster'}`)]
}
