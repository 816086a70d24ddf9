// The routes' file, spec.md "The file": written by `kt mesh` into a ConfigMap, read by the router.
import { isName, isPort, noFurther, parseJson, record, wrong } from '../tunnel/fields.ts'
import { linear } from './linear.ts'

/** Routes of one service; a person each. */
const MAX_ROUTES = 256
const MAX_CONDITIONS = 16
/** As in an ExposeConfig. */
const MAX_PORTS = 256
/** Longest name of a route, of its owner or of what is matched, and longest value, characters. */
const MAX_TEXT = 4_096
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const ADDRESS = /^[0-9a-f:]*[:.][0-9a-f:.]*$/i

/** How a value is compared; a regular expression has to match all of it. */
export type ValueTest = { exact: string } | { regex: string }

/** What must be true of a request. */
export type Condition =
  | ({ header: string } & ValueTest)
  | ({ query: string } & ValueTest)
  | ({ cookie: string } & ValueTest)
  | { pathPrefix: string }

export interface Route {
  /** The version it is for; no two routes share one. */
  name: string
  /** Who made it. */
  owner: string
  /** All of them must hold. */
  match: Condition[]
  /** The pod of the mesh shadow; ports by the router's port. */
  to: { host: string; ports: Record<string, number> }
  /** The original answers, `to` gets a copy. */
  mirror: boolean
}

export interface RouterPort {
  /** Where the router listens, at all addresses of its pod. */
  port: number
  network: 'tcp' | 'udp'
  /** The port at which the original pods serve the same. */
  original: number
}

export interface RouterConfig {
  version: 1
  /** The Service's name, for messages. */
  service: string
  /** Name of the headless Service of the original pods, or an address. */
  originals: string
  ports: RouterPort[]
  /** The first that fits wins. */
  routes: Route[]
}

/** Read the file; throws an Error of one line that names the field when it is not exactly right. */
export function parseRoutes(text: string): RouterConfig {
  const { version, service, originals, ports, routes, ...rest } = record(parseJson(text), 'the configuration')
  noFurther(rest, 'the configuration')
  if (version !== 1) wrong('version', '1')
  if (!isText(service)) wrong('service', 'a name')
  if (!isName(originals) && !isAddress(originals)) wrong('originals', 'a name or an address')
  if (originals === '') wrong('originals', 'a name or an address')
  if (!Array.isArray(ports) || ports.length === 0 || ports.length > MAX_PORTS) wrong('ports', `1 to ${MAX_PORTS} ports`)
  if (!Array.isArray(routes) || routes.length > MAX_ROUTES) wrong('routes', `up to ${MAX_ROUTES} routes`)
  const parsedPorts = ports.map((port: unknown, i) => parsePort(port, `ports[${i}]`))
  const parsedRoutes = routes.map((route: unknown, i) => parseRoute(route, `routes[${i}]`))
  if (distinct(parsedPorts.map(({ port, network }) => `${port}/${network}`)) !== ports.length) {
    wrong('ports', 'each port once')
  }
  if (distinct(parsedRoutes.map(({ name }) => name)) !== routes.length) wrong('routes', 'each name once')
  return { version, service, originals, ports: parsedPorts, routes: parsedRoutes }
}

function parsePort(value: unknown, at: string): RouterPort {
  const { port, network, original, ...rest } = record(value, at)
  noFurther(rest, at)
  if (!isPort(port)) wrong(`${at}.port`, 'a port')
  if (network !== 'tcp' && network !== 'udp') wrong(`${at}.network`, '"tcp" or "udp"')
  if (!isPort(original)) wrong(`${at}.original`, 'a port')
  return { port, network, original }
}

function parseRoute(value: unknown, at: string): Route {
  const { name, owner, match, to, mirror, ...rest } = record(value, at)
  noFurther(rest, at)
  if (!isText(name)) wrong(`${at}.name`, 'a name')
  if (!isText(owner)) wrong(`${at}.owner`, 'a name')
  if (!Array.isArray(match) || match.length === 0 || match.length > MAX_CONDITIONS) {
    wrong(`${at}.match`, `1 to ${MAX_CONDITIONS} conditions`)
  }
  if (typeof mirror !== 'boolean') wrong(`${at}.mirror`, 'true or false')
  const conditions = match.map((condition: unknown, i) => parseCondition(condition, `${at}.match[${i}]`))
  return { name, owner, match: conditions, to: parseTarget(to, `${at}.to`), mirror }
}

function parseTarget(value: unknown, at: string): Route['to'] {
  const { host, ports, ...rest } = record(value, at)
  noFurther(rest, at)
  if (!isAddress(host)) wrong(`${at}.host`, 'an address')
  const parsed: Record<string, number> = {}
  for (const [from, to] of Object.entries(record(ports, `${at}.ports`))) {
    if (!/^\d+$/.test(from) || !isPort(Number(from))) wrong(`${at}.ports`, 'from ports')
    if (!isPort(to)) wrong(`${at}.ports["${from}"]`, 'a port')
    parsed[Number(from)] = to
  }
  return { host, ports: parsed }
}

function parseCondition(value: unknown, at: string): Condition {
  const { header, query, cookie, pathPrefix, exact, regex, ...rest } = record(value, at)
  noFurther(rest, at)
  const subjects = [header, query, cookie, pathPrefix].filter(subject => subject !== undefined)
  if (subjects.length !== 1) wrong(at, 'one of header, query, cookie and pathPrefix')
  if (pathPrefix !== undefined) {
    if (!isText(pathPrefix) || !pathPrefix.startsWith('/')) wrong(`${at}.pathPrefix`, 'a path from / on')
    if (exact !== undefined || regex !== undefined) wrong(at, 'a path prefix and no more')
    return { pathPrefix }
  }
  const test = parseTest(exact, regex, at)
  if (query !== undefined) {
    if (!isText(query)) wrong(`${at}.query`, 'a name')
    return { query, ...test }
  }
  const name = header ?? cookie
  if (!isText(name) || !TOKEN.test(name)) wrong(`${at}.${header === undefined ? 'cookie' : 'header'}`, 'a name')
  return header === undefined ? { cookie: name, ...test } : { header: name, ...test }
}

function parseTest(exact: unknown, regex: unknown, at: string): ValueTest {
  if ((exact === undefined) === (regex === undefined)) wrong(at, 'either exact or a regex')
  if (exact !== undefined) {
    if (typeof exact !== 'string' || exact.length > MAX_TEXT) wrong(`${at}.exact`, 'a text')
    return { exact }
  }
  if (typeof regex !== 'string') wrong(`${at}.regex`, 'a text')
  try {
    linear(regex)
  } catch (error) {
    wrong(`${at}.regex`, `a regular expression of linear time: ${(error as Error).message}`)
  }
  return { regex }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && ADDRESS.test(value)
}

function distinct(keys: string[]): number {
  return new Set(keys).size
}
