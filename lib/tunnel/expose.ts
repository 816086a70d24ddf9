// What an agent listens for besides its session: written by the laptop into the shadow's ConfigMap, read by the agent.
import { isName, isPort, noFurther, parseJson, record, wrong } from './fields.ts'
import { AGENT_PORT, SSH_PORT } from './request.ts'

/** Longest time the agent may be told to wait for the laptop, seconds: a caller waits with it. */
const MAX_GRACE_SECONDS = 60
/** Ports of one shadow; a Service with more is unheard of. */
const MAX_PORTS = 256

export interface ExposePort {
  /** Where the agent listens, at all addresses of its pod. */
  port: number
  network: 'tcp' | 'udp'
  /** Who gets what comes there: `originals` without asking the laptop. */
  to: 'laptop' | 'originals'
  /** The port at which the original pods serve the same. */
  original: number
  /** Give to the originals also what the local program refuses. */
  fallback: boolean
}

export interface ExposeConfig {
  /** Name of a headless Service whose pods serve when the laptop cannot; empty: there are none. */
  originals: string
  ports: ExposePort[]
  /** The laptop is given this long to answer, seconds; default 3. */
  graceSeconds?: number
}

/** Ports for the agent itself: of the session and of its ssh door, on loopback, and the one that is open when all others are; beside what is exposed. */
export function agentPorts(config?: ExposeConfig): { session: number; ready: number; ssh: number } {
  const taken = new Set(config?.ports.filter(({ network }) => network === 'tcp').map(({ port }) => port))
  const free = (from: number): number => (taken.has(from) ? free(from + 1) : from)
  const session = free(AGENT_PORT)
  return { session, ready: free(session + 1), ssh: free(SSH_PORT) }
}

/** Read a configuration; throws an Error of one line that names the field when it is not exactly one. */
export function parseExpose(text: string): ExposeConfig {
  const { originals, ports, graceSeconds, ...rest } = record(parseJson(text), 'the configuration')
  noFurther(rest, 'the configuration')
  if (!isName(originals)) wrong('originals', 'a name')
  if (!Array.isArray(ports) || ports.length === 0 || ports.length > MAX_PORTS) wrong('ports', `1 to ${MAX_PORTS} ports`)
  const parsed = ports.map((port: unknown, i) => parsePort(port, `ports[${i}]`))
  const keys = new Set(parsed.map(({ port, network }) => `${port}/${network}`))
  if (keys.size !== parsed.length) wrong('ports', 'each port once')
  if (originals === '' && parsed.some(({ to }) => to === 'originals')) wrong('originals', 'a name: a port goes there')
  if (graceSeconds === undefined) return { originals, ports: parsed }
  if (typeof graceSeconds !== 'number' || !(graceSeconds > 0 && graceSeconds <= MAX_GRACE_SECONDS)) {
    wrong('graceSeconds', `a number up to ${MAX_GRACE_SECONDS}`)
  }
  return { originals, ports: parsed, graceSeconds }
}

function parsePort(value: unknown, at: string): ExposePort {
  const { port, network, to, original, fallback, ...rest } = record(value, at)
  noFurther(rest, at)
  if (!isPort(port)) wrong(`${at}.port`, 'a port')
  if (network !== 'tcp' && network !== 'udp') wrong(`${at}.network`, '"tcp" or "udp"')
  if (to !== 'laptop' && to !== 'originals') wrong(`${at}.to`, '"laptop" or "originals"')
  if (!isPort(original)) wrong(`${at}.original`, 'a port')
  if (typeof fallback !== 'boolean') wrong(`${at}.fallback`, 'true or false')
  return { port, network, to, original, fallback }
}
