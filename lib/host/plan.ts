// Which addresses go into the TUN. Pure: ranges in, routes out, each with its reason.
import { KtError } from '../errors.ts'
import { byAddress, type Interval, overlap, parseRange, subtract, toCidrs } from './intervals.ts'

export interface Route {
  /** Canonical: network address and prefix. */
  cidr: string
  /** Why it is routed, for the user. */
  reason: string
}

export interface RoutePlan {
  routes: Route[]
  /** What was left out and why, one line each. */
  notes: string[]
}

export interface PlanInput {
  /** What the cluster has; the first that holds an address gives it its reason. */
  ranges: readonly Route[]
  /** The user's `--includeIps`: addresses and ranges; they win over the laptop's own subnets. */
  include: readonly string[]
  /** The user's `--excludeIps`: addresses and ranges; they win over everything. */
  exclude: readonly string[]
  /** API server, nodes, gateways, resolvers: outside whatever else is said. Addresses or ranges. */
  never: readonly { address: string; reason: string }[]
  /** The laptop's own subnets. */
  local: readonly { cidr: string; device: string }[]
}

/** `ip` takes a second for so many routes; who needs more excludes ranges and not addresses. */
const ROUTES_MAX = 10_000

/** Addresses named in one note. */
const NAMED_MAX = 4

const ON_LINK = 'never leaves this computer or its link'
/** RFC 6890, RFC 5771 and RFC 4291: no destinations of a tunnel. */
const NEVER = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255',
  '::/127',
  'fe80::/10',
  'ff00::/8'
].map(address => ({ address, reason: ON_LINK }))

interface Piece extends Interval {
  reason: string
}

/**
 * routes = (ranges − own subnets ∪ include) − exclude − never.
 * Every address is in one route at most; neighbours with the same reason are one route. Sorted by address, IPv4 first.
 * Throws KT_USAGE when `include` or `exclude` holds something else than addresses and ranges.
 */
export function planRoutes(input: PlanInput): RoutePlan {
  const notes: string[] = []
  const include = input.include.map(text => parseOption('--includeIps', text))
  const exclude = input.exclude.map(text => parseOption('--excludeIps', text))

  let pieces: Piece[] = []
  for (const { cidr, reason } of input.ranges) {
    const range = parseRange(cidr)
    if (range === undefined) notes.push(`${cidr} (${reason}) is not a range: left out`)
    else pieces = add(pieces, { ...range, reason })
  }
  for (const { cidr, device } of overlapping(pieces, input.local, ({ cidr }) => cidr)) {
    notes.push(`${cidr} is left out: the laptop's own subnet on ${device} (--includeIps takes it in)`)
  }
  pieces = subtract(pieces, readable(input.local.map(({ cidr }) => cidr)))
  for (const range of include) pieces = add(pieces, { ...range, reason: '--includeIps' })
  pieces = subtract(pieces, exclude)
  const never = [...input.never, ...NEVER]
  const kept = Map.groupBy(
    overlapping(pieces, never, ({ address }) => address),
    ({ reason }) => reason
  )
  for (const [reason, of] of kept) notes.push(`${enumerate(of.map(({ address }) => address))} left out: ${reason}`)
  pieces = subtract(pieces, readable(never.map(({ address }) => address)))

  const routes = merge(pieces).flatMap(piece => toCidrs(piece).map(cidr => ({ cidr, reason: piece.reason })))
  if (routes.length > ROUTES_MAX) {
    throw new KtError('KT_ROUTES', `what is left out cuts the routes into ${routes.length} pieces`, {
      hint: `at most ${ROUTES_MAX} are possible; exclude ranges instead of addresses`
    })
  }
  return { routes, notes }
}

/** The ranges of a list of routes, read once: `covers` is asked for every address in an answer. */
const parsed = new WeakMap<readonly { cidr: string }[], Interval[]>()

/** True if one of the routes holds the address. The list must not change between calls. */
export function covers(routes: readonly { cidr: string }[], address: string): boolean {
  let ranges = parsed.get(routes)
  if (ranges === undefined) {
    ranges = readable(routes.map(({ cidr }) => cidr))
    parsed.set(routes, ranges)
  }
  const one = parseRange(address)
  return one !== undefined && ranges.some(range => overlap(range, one))
}

/** Routes of somebody else (another VPN) that take addresses out of ours or that ours cover: one line each. `first`: ours are asked before equal ones. */
export function overlapNotes(
  routes: readonly Route[],
  others: readonly { cidr: string; device: string; before: boolean }[],
  first = false
): string[] {
  const ours = readable(routes.map(({ cidr }) => cidr))
  const equals = first ? ", of equal ones the cluster's" : ''
  return others.flatMap(({ cidr, device, before }) => {
    const other = parseRange(cidr)
    if (other === undefined || !ours.some(range => overlap(range, other))) return []
    return before
      ? [`${cidr} goes to ${device} by a rule of higher priority: the cluster's addresses in it are not reached`]
      : [
          `${cidr} on ${device} overlaps with the cluster: the longer prefix wins${equals} (--excludeIps leaves it to ${device})`
        ]
  })
}

function parseOption(option: string, text: string): Interval {
  const range = parseRange(text.trim())
  if (range !== undefined) return range
  throw new KtError('KT_USAGE', `${option}: '${text}' is neither an IP address nor a range`, {
    hint: 'for example 10.96.14.3 or 10.96.14.0/24 or fd00:10::/112, several with commas between them'
  })
}

/** What of `extra` no piece holds yet becomes further pieces: nothing is doubled, the first reason stays. */
function add(pieces: readonly Piece[], extra: Piece): Piece[] {
  return [...pieces, ...subtract([extra], pieces)]
}

/** Those of `items` whose range takes something out of the pieces. */
function overlapping<T>(pieces: readonly Piece[], items: readonly T[], rangeOf: (item: T) => string): T[] {
  return items.filter(item => {
    const range = parseRange(rangeOf(item))
    return range !== undefined && pieces.some(piece => overlap(piece, range))
  })
}

function readable(texts: readonly string[]): Interval[] {
  return texts.map(parseRange).filter(range => range !== undefined)
}

/** A cluster may have a thousand nodes: some are named, the others counted. */
function enumerate(addresses: readonly string[]): string {
  const named = addresses.slice(0, NAMED_MAX).join(', ')
  const more = addresses.length - NAMED_MAX
  return `${named}${more > 0 ? ` and ${more} more` : ''} ${addresses.length === 1 ? 'is' : 'are'}`
}

/** Sorted, with neighbours of the same reason as one piece. */
function merge(pieces: readonly Piece[]): Piece[] {
  const merged: Piece[] = []
  for (const piece of [...pieces].sort(byAddress)) {
    const last = merged.at(-1)
    const neighbour = last !== undefined && last.family === piece.family && last.last + 1n === piece.first
    if (neighbour && last.reason === piece.reason) last.last = piece.last
    else merged.push({ ...piece })
  }
  return merged
}
