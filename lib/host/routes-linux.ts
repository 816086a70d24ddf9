// The laptop's network on Linux, through iproute2: what is there before kt, and our link with its addresses and routes.
import { readFileSync } from 'node:fs'
import { KtError } from '../errors.ts'
import { parseRange, toCidrs } from './intervals.ts'
import { run } from './run.ts'

/** The network that is changed: that of this process, or one that was made for some programs. */
export interface Place {
  run: typeof run
  /** As the function of this name. */
  hasIPv6(device: string): boolean
}

const HERE: Place = { run, hasIPv6 }

export interface DeviceSetup {
  /** The laptop's own addresses on the device, with prefix. IPv6 ones are skipped where the kernel has IPv6 switched off. */
  addresses: readonly string[]
  /** Largest packet in bytes. */
  mtu: number
  /** Packets that the kernel keeps for us while we are busy. */
  txQueueLength: number
}

/** Give the device its addresses and set it up. Undone by closing the device. */
export async function configureDevice(
  device: string,
  { addresses, mtu, txQueueLength }: DeviceSetup,
  place: Place = HERE
): Promise<void> {
  const commands = [`link set dev ${device} mtu ${mtu} txqueuelen ${txQueueLength}`]
  for (const address of addresses.filter(usable(device, place))) {
    // nodad: nobody else is on this link, and a tentative address cannot be used for a second.
    commands.push(
      address.includes(':') ? `addr add ${address} dev ${device} nodad` : `addr add ${address} dev ${device}`
    )
  }
  commands.push(`link set dev ${device} up`)
  await batch(commands, `${device} cannot be configured`, place)
}

/**
 * What our routes say beside their range: no bbr. It paces each connection with timers, which is for lines with queues; ours ends in this
 * computer, and 64 uploads paced were a quarter slower. Whatever else the system uses stays (ip-route(8), `congctl`).
 */
function congestionControl(): string {
  const setting = (name: string): string => readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1').trim()
  try {
    if (!setting('tcp_congestion_control').startsWith('bbr')) return ''
    return setting('tcp_available_congestion_control').split(' ').includes('cubic') ? ' congctl cubic' : ' congctl reno'
  } catch {
    return ''
  }
}

/** Route the ranges into the device. All or an error; what had been set until then goes with the device. */
export async function addRoutes(device: string, cidrs: readonly string[], place: Place = HERE): Promise<void> {
  const how = congestionControl()
  await batch(
    cidrs.filter(usable(device, place)).map(cidr => `route add ${cidr} dev ${device}${how}`),
    'a route cannot be set',
    place
  )
}

/** The same, before whoever routes the very same range already. */
export async function addRoutesFirst(device: string, cidrs: readonly string[]): Promise<void> {
  const how = congestionControl()
  // IPv4 asks the newest of equals that is put in front; for IPv6 the metric decides, and a subnet of the kernel's has 256.
  const command = (cidr: string): string =>
    cidr.includes(':') ? `route add ${cidr} dev ${device} metric 1${how}` : `route prepend ${cidr} dev ${device}${how}`
  await batch(cidrs.filter(usable(device, HERE)).map(command), 'a route cannot be set', HERE)
}

/** Take routes out again; those which are gone already are no error. */
export async function removeRoutes(device: string, cidrs: readonly string[]): Promise<void> {
  await batch(
    cidrs.filter(usable(device, HERE)).map(cidr => `route del ${cidr} dev ${device}`),
    'a route cannot be removed',
    HERE,
    ['-force']
  )
}

/** Commands of `ip` in one process. Without `-force` it stops at the first that fails, and says which. */
async function batch(
  commands: readonly string[],
  problem: string,
  place: Place,
  options: readonly string[] = []
): Promise<void> {
  if (commands.length === 0) return
  const { ok, stderr } = await place.run('ip', [...options, '-batch', '-'], { input: `${commands.join('\n')}\n` })
  if (ok || (options.includes('-force') && onlyMissing(stderr))) return
  const line = Number(/^Command failed -:(\d+)/m.exec(stderr)?.[1])
  const reason = stderr.split('\n')[0]?.replace(/^(RTNETLINK answers|Error): /, '') ?? ''
  const what = commands[line - 1]
  throw new KtError('KT_ROUTES', `${problem}: ${reason}${what === undefined ? '' : ` (ip ${what})`}`, {
    hint: reason.includes('File exists') ? 'something else routes this range: --excludeIps leaves it there' : ''
  })
}

/** `ip route del` of what is not there, or of a device that is not there. */
function onlyMissing(stderr: string): boolean {
  return stderr
    .split('\n')
    .every(line => /No such process|Cannot find device|No such device|^Command failed|^\s*$/.test(line))
}

/** Keeps what the kernel can have on this device: no IPv6 where it is switched off. */
function usable(device: string, place: Place): (address: string) => boolean {
  const ipv6 = place.hasIPv6(device)
  return address => ipv6 || !address.includes(':')
}

/** False where the kernel has no IPv6 (ipv6.disable=1) or it is switched off for the device. */
export function hasIPv6(device: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, 'latin1').trim() === '0'
  } catch {
    return false
  }
}

export interface LocalNetworks {
  /** Subnets of the laptop's own addresses, the far ends of point-to-point links included; without loopback. */
  subnets: { cidr: string; device: string }[]
  /** Where packets for everybody else go. */
  gateways: { address: string; device: string }[]
  /**
   * Ranges that somebody else routes: another VPN, a static route. `before`: by a rule that the kernel looks at
   * before the main table, so that no prefix of ours can be longer.
   */
  routes: { cidr: string; device: string; before: boolean }[]
}

/** The part of `ip -json addr` that is read; every field may be missing. */
interface LinkJson {
  ifname?: string
  addr_info?: { family?: string; local?: string; address?: string; prefixlen?: number; scope?: string }[]
}

/** The part of `ip -json route show table all`. */
interface RouteJson {
  type?: string
  dst?: string
  gateway?: string
  via?: { host?: string }
  dev?: string
  table?: string | number
  protocol?: string
  nexthops?: { gateway?: string; dev?: string }[]
}

interface RuleJson {
  priority?: number
  table?: string | number
  src?: string
  iif?: string
  fwmark?: string
  /** Present when the rule means everything but what it describes. */
  not?: null
}

/** Priority of the rule that looks into the table main (ip-rule(8)). */
const MAIN_PRIORITY = 32_766

/** Read what the laptop has, without the device `except` (ours). Never throws for odd output: what cannot be read is not there. */
export async function localNetworks(except = ''): Promise<LocalNetworks> {
  const [links, routes4, routes6, rules4, rules6] = await Promise.all([
    show<LinkJson>('addr'),
    show<RouteJson>('-4', 'route', 'show', 'table', 'all'),
    show<RouteJson>('-6', 'route', 'show', 'table', 'all'),
    show<RuleJson>('-4', 'rule'),
    show<RuleJson>('-6', 'rule')
  ])
  const routes = [...unicast(routes4, '0.0.0.0/0'), ...unicast(routes6, '::/0')].filter(route => route.dev !== except)
  const early = new Set([...rules4, ...rules6].filter(isEarly).map(rule => String(rule.table)))
  return {
    subnets: links.filter(link => link.ifname !== except && link.ifname !== 'lo').flatMap(subnetsOf),
    gateways: routes.filter(isDefault).flatMap(gatewaysOf),
    routes: routes
      .filter(route => !isDefault(route) && route.protocol !== 'kernel')
      .filter(route => isMain(route) || early.has(String(route.table)))
      .map(route => ({ cidr: route.dst ?? '', device: route.dev ?? '?', before: !isMain(route) }))
  }
}

/** `ip -json` answers nothing at all instead of `[]` when there is nothing, and fails for a family the kernel does not have. */
async function show<T>(...args: string[]): Promise<T[]> {
  const { ok, stdout, stderr } = await run('ip', ['-json', ...args])
  if (!ok) {
    if (/not supported/i.test(stderr) || args.includes('-6')) return []
    throw new KtError('KT_ROUTES', `the laptop's network cannot be read: ${stderr.split('\n')[0]}`)
  }
  try {
    const list: unknown = JSON.parse(stdout || '[]')
    return Array.isArray(list) ? (list as T[]) : []
  } catch {
    return []
  }
}

function unicast(routes: RouteJson[], everything: string): (RouteJson & { dst: string })[] {
  return routes
    .filter(route => route.type === undefined || route.type === 'unicast')
    .map(route => ({ ...route, dst: route.dst === undefined || route.dst === 'default' ? everything : route.dst }))
}

function isDefault({ dst }: RouteJson): boolean {
  return dst === '0.0.0.0/0' || dst === '::/0'
}

function isMain({ table }: RouteJson): boolean {
  return table === undefined || table === 'main' || table === 254
}

/** A rule for everybody's packets that comes before the table main. Rules for a mark, a source or an interface are not ours. */
function isEarly(rule: RuleJson): boolean {
  const { priority, table, src, iif, fwmark } = rule
  const general = 'not' in rule || ((src === undefined || src === 'all') && iif === undefined && fwmark === undefined)
  return general && priority !== undefined && priority < MAIN_PRIORITY && table !== undefined && table !== 'local'
}

function subnetsOf({ ifname, addr_info }: LinkJson): { cidr: string; device: string }[] {
  const device = ifname ?? '?'
  return (addr_info ?? []).flatMap(({ local, address, prefixlen, scope }) => {
    if (local === undefined || prefixlen === undefined || scope === 'link') return []
    // Point-to-point (ip-address(8), "peer"): the prefix belongs to the far end, our own address stands alone.
    const texts = address === undefined ? [`${local}/${prefixlen}`] : [local, `${address}/${prefixlen}`]
    return texts.flatMap(text => {
      const range = parseRange(text)
      return range === undefined ? [] : toCidrs(range).map(cidr => ({ cidr, device }))
    })
  })
}

function gatewaysOf({ gateway, via, dev, nexthops }: RouteJson): { address: string; device: string }[] {
  const hops = [{ gateway: gateway ?? via?.host, dev }, ...(nexthops ?? [])]
  return hops.flatMap(hop =>
    hop.gateway === undefined ? [] : [{ address: hop.gateway, device: hop.dev ?? dev ?? '?' }]
  )
}
