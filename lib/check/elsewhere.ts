// What must be true of a Mac or a computer with Windows: looked at, never changed.
import { platform } from '../session/platform.ts'
import { type Finding, fault, faultOf, ok, warning } from './finding.ts'

/** Named in one line. */
const NAMED_MAX = 8
const WITHOUT = 'kt up --socks, kt forward and the library need nothing of it'

/** System, rights, driver and resolver. */
export async function checkElsewhere(): Promise<Finding[]> {
  return [
    systemFinding(),
    await found('rights', async () => {
      await platform.demandRights()
      return ok('rights', 'kt up may make a network device')
    }),
    await found('tun', async () => ok('tun', await platform.demandDriver())),
    await found('resolver', resolverFinding)
  ]
}

/** Ranges that somebody else routes; an overlap with the cluster is told where that is known. */
export function checkOthersRoutes(): Promise<Finding> {
  return found('vpn', async () => {
    const { routes } = await platform.localNetworks()
    if (routes.length === 0) return ok('vpn', 'nobody routes anything else')
    const named = routes.slice(0, NAMED_MAX).map(({ cidr, device }) => `${cidr} on ${device}`)
    const more = routes.length - named.length
    return ok('vpn', `others route ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`)
  })
}

function systemFinding(): Finding {
  const { name, untested } = platform
  if (!untested) return fault('system', `kt up does not run on ${name}`, WITHOUT)
  return warning('system', `${name} ${process.arch}: kt up is written for it, not yet run on real hardware`, WITHOUT)
}

async function resolverFinding(): Promise<Finding> {
  const servers = await platform.laptopUpstreams()
  if (servers.length > 0) return ok('resolver', `${platform.name} asks ${servers.join(', ')}`)
  return warning('resolver', 'no name server is known', 'without one only names of the cluster are found')
}

async function found(check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look()
  } catch (error) {
    return faultOf(check, error)
  }
}
