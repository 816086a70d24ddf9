// The laptop's network on Windows, through the cmdlets of the module NetTCPIP (learn.microsoft.com/powershell/module/nettcpip).
// Written to these documents, not yet run on Windows.
import { networkInterfaces } from 'node:os'
import { KtError } from '../errors.ts'
import { ownSubnets } from './own-subnets.ts'
import { powershell, quote, type Run } from './powershell.ts'
import type { DeviceSetup, LocalNetworks } from './routes-linux.ts'
import { run } from './run.ts'

/** The network that is changed: that of this computer, or a test's. */
export interface WindowsPlace {
  run: Run
  interfaces: typeof networkInterfaces
}

const HERE: WindowsPlace = { run, interfaces: networkInterfaces }

/** Everything goes into the active store: what is there only until the device goes. */
const ACTIVE = "-PolicyStore 'ActiveStore'"
/** Tenths of a second. */
const BIND_TRIES = 50
/** NextHop of a route without a gateway. */
const ON_LINK = { 4: '0.0.0.0', 6: '::' } as const

/** Give the adapter its addresses, without looking for others who have them: nobody else is on this link. Undone by closing it. */
export async function configureDevice(
  device: string,
  { addresses, mtu }: DeviceSetup,
  place: WindowsPlace = HERE
): Promise<void> {
  const families = new Set(addresses.map(familyOf))
  const statements = [...families].flatMap(family => [
    // The adapter is there before Windows has bound its protocols to it.
    `for ($i = 0; $i -lt ${BIND_TRIES} -and -not (Get-NetIPInterface -InterfaceAlias ${quote(device)} -AddressFamily 'IPv${family}' -ErrorAction SilentlyContinue); $i++) { Start-Sleep -Milliseconds 100 }`,
    `Set-NetIPInterface -InterfaceAlias ${quote(device)} -AddressFamily 'IPv${family}' -NlMtuBytes ${mtu} -DadTransmits 0 ${ACTIVE}`
  ])
  for (const each of addresses) {
    const [address = '', length = ''] = each.split('/')
    statements.push(
      `New-NetIPAddress -InterfaceAlias ${quote(device)} -IPAddress ${quote(address)} -PrefixLength ${Number(length)} ${ACTIVE} | Out-Null`
    )
  }
  await change(statements, `${device} cannot be configured`, place)
}

/** Route the ranges into the device. All or an error; what had been set until then goes with the device. */
export async function addRoutes(device: string, cidrs: readonly string[], place: WindowsPlace = HERE): Promise<void> {
  const taken = await otherRoute(device, cidrs, place)
  if (taken !== undefined)
    throw new KtError('KT_ROUTES', `a route cannot be set: ${taken.cidr} already goes to ${taken.device}`, {
      hint: 'something else routes this range: --excludeIps leaves it there'
    })
  await addRoutesFirst(device, cidrs, place)
}

/** The same, before whoever routes the very same range already: Windows goes by the metric. */
export async function addRoutesFirst(
  device: string,
  cidrs: readonly string[],
  place: WindowsPlace = HERE
): Promise<void> {
  await change(
    cidrs.map(
      cidr =>
        `New-NetRoute -DestinationPrefix ${quote(cidr)} -InterfaceAlias ${quote(device)} -NextHop ${quote(ON_LINK[familyOf(cidr)])} -RouteMetric 0 ${ACTIVE} | Out-Null`
    ),
    'a route cannot be set',
    place
  )
}

/** Take routes out again; those which are gone already are no error. */
export async function removeRoutes(
  device: string,
  cidrs: readonly string[],
  place: WindowsPlace = HERE
): Promise<void> {
  await change(
    cidrs.map(
      cidr =>
        `Remove-NetRoute -DestinationPrefix ${quote(cidr)} -InterfaceAlias ${quote(device)} ${ACTIVE} -Confirm:$false -ErrorAction SilentlyContinue`
    ),
    'a route cannot be removed',
    place
  )
}

/** Windows lets two interfaces have the same route: that of another program is not taken away silently. */
async function otherRoute(
  device: string,
  cidrs: readonly string[],
  place: WindowsPlace
): Promise<{ cidr: string; device: string } | undefined> {
  const { routes } = await localNetworks(device, place)
  return routes.find(({ cidr }) => cidrs.includes(cidr))
}

async function change(statements: readonly string[], problem: string, place: WindowsPlace): Promise<void> {
  if (statements.length === 0) return
  const { ok, stderr } = await powershell(statements, place)
  if (!ok) throw new KtError('KT_ROUTES', `${problem}: ${stderr.split('\n')[0]?.trim()}`)
}

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)

/** What `ROUTES` prints of each; every field may be missing. */
interface RouteJson {
  DestinationPrefix?: string
  NextHop?: string
  InterfaceAlias?: string
  /** `Local`: Windows has it from an address of its own. */
  Protocol?: string
}

const ROUTES =
  "ConvertTo-Json -Compress -Depth 3 -InputObject @(Get-NetRoute -PolicyStore 'ActiveStore' | Select-Object DestinationPrefix, NextHop, InterfaceAlias, @{ n = 'Protocol'; e = { [string]$_.Protocol } })"

/** Read what the laptop has, without the device `except` (ours). Never throws for odd output: what cannot be read is not there. */
export async function localNetworks(except = '', place: WindowsPlace = HERE): Promise<LocalNetworks> {
  const { ok, stdout, stderr } = await powershell([ROUTES], place)
  if (!ok) throw new KtError('KT_ROUTES', `the laptop's network cannot be read: ${stderr.split('\n')[0]?.trim()}`)
  const routes = parse(stdout).filter(({ InterfaceAlias }) => InterfaceAlias !== except)
  const gateways = routes.filter(isDefault)
  return {
    subnets: ownSubnets(place.interfaces(), except),
    gateways: gateways
      .filter(({ NextHop }) => NextHop !== undefined && NextHop !== ON_LINK[4] && NextHop !== ON_LINK[6])
      .map(({ NextHop = '', InterfaceAlias = '?' }) => ({ address: NextHop, device: InterfaceAlias })),
    routes: routes
      .filter(route => !isDefault(route) && route.Protocol !== 'Local' && route.DestinationPrefix !== undefined)
      .map(({ DestinationPrefix = '', InterfaceAlias = '?' }) => ({
        ...{ cidr: DestinationPrefix, device: InterfaceAlias, before: false }
      }))
  }
}

function parse(text: string): RouteJson[] {
  try {
    const list: unknown = JSON.parse(text || '[]')
    return Array.isArray(list) ? (list as RouteJson[]) : []
  } catch {
    return []
  }
}

function isDefault({ DestinationPrefix }: RouteJson): boolean {
  return DestinationPrefix === '0.0.0.0/0' || DestinationPrefix === '::/0'
}
