// The laptop's network on macOS, through ifconfig(8), route(8) and netstat(1).
// Written to these manual pages, not yet run on a Mac.
import { networkInterfaces } from 'node:os'
import { KtError } from '../errors.ts'
import { overlap, parseRange, toCidrs } from './intervals.ts'
import { ownSubnets } from './own-subnets.ts'
import type { DeviceSetup, LocalNetworks } from './routes-linux.ts'
import { run } from './run.ts'

/** The network that is changed: that of this computer, or a test's. */
export interface DarwinPlace {
  run: typeof run
  interfaces: typeof networkInterfaces
}

const HERE: DarwinPlace = { run, interfaces: networkInterfaces }

/**
 * Give the device its addresses and set it up. A utun is a point-to-point link, whose far end is said to be our own address; the subnets
 * are routes. Undone by closing the device.
 */
export async function configureDevice(
  device: string,
  { addresses, mtu }: DeviceSetup,
  place: DarwinPlace = HERE
): Promise<void> {
  const commands = [['mtu', String(mtu)]]
  for (const address of addresses) {
    if (address.includes(':')) commands.push(['inet6', address, 'alias'])
    else commands.push(['inet', address, address.split('/')[0] ?? '', 'alias'])
  }
  commands.push(['up'])
  for (const args of commands) {
    const { ok, stderr } = await place.run('ifconfig', [device, ...args])
    if (!ok) throw new KtError('KT_ROUTES', `${device} cannot be configured: ${firstLine(stderr)}`)
  }
  await setRoutes(device, addresses.map(subnetOf), place, true)
}

/** Route the ranges into the device. All or an error; what had been set until then goes with the device. */
export async function addRoutes(device: string, cidrs: readonly string[], place: DarwinPlace = HERE): Promise<void> {
  await setRoutes(device, cidrs, place, false)
}

/** macOS has one route for a range: where somebody else has it, this is refused, too. */
export async function addRoutesFirst(device: string, cidrs: readonly string[]): Promise<void> {
  await addRoutes(device, cidrs)
}

/** Take routes out again; those which are gone already are no error. */
export async function removeRoutes(device: string, cidrs: readonly string[], place: DarwinPlace = HERE): Promise<void> {
  for (const cidr of cidrs) {
    const problem = await route('delete', cidr, device, place)
    if (problem !== undefined && !/not in table|bad (address|interface)/.test(problem))
      throw new KtError('KT_ROUTES', `a route cannot be removed: ${problem} (route delete ${cidr})`)
  }
}

/** `mayExist`: the kernel has made some of them itself. */
async function setRoutes(
  device: string,
  cidrs: readonly string[],
  place: DarwinPlace,
  mayExist: boolean
): Promise<void> {
  for (const cidr of cidrs) {
    const problem = await route('add', cidr, device, place)
    const exists = problem?.includes('File exists') ?? false
    if (problem === undefined || (exists && mayExist)) continue
    throw new KtError('KT_ROUTES', `a route cannot be set: ${problem} (route add ${cidr})`, {
      hint: exists ? 'something else routes this range: --excludeIps leaves it there' : ''
    })
  }
}

/** Undefined, or what is wrong. The exit code of route(8) is 0 also where the kernel has refused; it says so on standard error. */
async function route(
  verb: 'add' | 'delete',
  cidr: string,
  device: string,
  place: DarwinPlace
): Promise<string | undefined> {
  const family = cidr.includes(':') ? '-inet6' : '-inet'
  const { ok, stderr } = await place.run('route', ['-n', verb, family, cidr, '-interface', device])
  const refused = /^route: (?:writing to routing socket: )?(.+)$/m.exec(stderr)?.[1]
  return refused ?? (ok ? undefined : firstLine(stderr))
}

function subnetOf(address: string): string {
  const range = parseRange(address)
  return (range && toCidrs(range)[0]) ?? address
}

/** Read what the laptop has, without the device `except` (ours). Never throws for odd output: what cannot be read is not there. */
export async function localNetworks(except = '', place: DarwinPlace = HERE): Promise<LocalNetworks> {
  const tables = await Promise.all(['inet', 'inet6'].map(family => place.run('netstat', ['-rn', '-f', family])))
  const failed = tables.find(({ ok }) => !ok)
  if (failed !== undefined)
    throw new KtError('KT_ROUTES', `the laptop's network cannot be read: ${firstLine(failed.stderr)}`)
  const subnets = ownSubnets(place.interfaces(), except)
  const routes = tables.flatMap(({ stdout }) => routesOf(stdout)).filter(({ device }) => device !== except)
  const own = subnets.map(({ cidr }) => cidr)
  return {
    subnets,
    gateways: routes
      .filter(({ destination, gateway }) => destination === 'default' && parseRange(gateway) !== undefined)
      .map(({ gateway, device }) => ({ address: gateway, device })),
    routes: routes.flatMap(({ destination, device, flags }) => {
      const cidr = expand(destination)
      // S: somebody has set it. I: for sockets alone that are bound to this interface (netstat(1)).
      if (cidr === undefined || !flags.includes('S') || flags.includes('I') || /^lo\d/.test(device)) return []
      return own.includes(cidr) || isOnLink(cidr) ? [] : [{ cidr, device, before: false }]
    })
  }
}

interface TableLine {
  destination: string
  gateway: string
  flags: string
  device: string
}

/** The lines of netstat(1): Destination Gateway Flags Netif Expire. */
function routesOf(text: string): TableLine[] {
  return text.split('\n').flatMap(line => {
    const [destination = '', gateway = '', flags = '', device = ''] = line.trim().split(/\s+/)
    return /^U/.test(flags) && device !== '' ? [{ destination, gateway, flags, device }] : []
  })
}

/** `10.8/16` and `192.168.1` (without a length: of as many bytes as are written) as ranges; undefined for what is none. */
function expand(destination: string): string | undefined {
  if (destination.includes(':')) return rangeText(destination)
  const [address = '', length] = destination.split('/')
  const bytes = address.split('.')
  if (bytes.length > 4 || !bytes.every(byte => /^\d{1,3}$/.test(byte))) return undefined
  const whole = [...bytes, '0', '0', '0'].slice(0, 4).join('.')
  return rangeText(`${whole}/${length ?? bytes.length * 8}`)
}

function rangeText(text: string): string | undefined {
  const range = parseRange(text)
  return range && toCidrs(range)[0]
}

/** Every Mac has routes for these on each of its links. */
const ON_LINK = ['169.254.0.0/16', '224.0.0.0/4', '255.255.255.255', 'fe80::/10', 'ff00::/8'].map(parseRange)

function isOnLink(cidr: string): boolean {
  const range = parseRange(cidr)
  return range !== undefined && ON_LINK.some(each => each !== undefined && overlap(each, range))
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
