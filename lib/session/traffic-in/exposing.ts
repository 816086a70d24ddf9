// What exchange and preview share: a shadow that others in the cluster come to, and the local programs that answer.
import { KtError } from '../../errors.ts'
import { processStart } from '../../host/state.ts'
import type { Right } from '../../kube/api/api-error.ts'
import type { Cluster } from '../../kube/api/client.ts'
import type { Exposure } from '../../kube/shadow/shadow-manifest.ts'
import { beatService } from '../../kube/traffic/exchange.ts'
import { HEARTBEAT_SECONDS } from '../../kube/traffic/owner.ts'
import type { CarriedPort } from '../../kube/traffic/ports.ts'
import { agentPorts, type ExposeConfig } from '../../tunnel/expose.ts'
import { type ClusterOptions, openCluster } from '../link/open-cluster.ts'
import { type AgentOptions, reachAgent } from '../link/reach-agent.ts'
import type { Report } from '../report.ts'
import { type Running, runSession } from '../run.ts'
import type { Parts } from '../status.ts'
import { type ExposedPort, Inbound } from './inbound.ts'
import { hostsOf, listens } from './local-program.ts'

/** How local programs are treated. */
export interface LocalOptions {
  image: string
  /** Begin although nobody listens at a local port yet. */
  skipPortChecking: boolean
  /** Hand the caller's address to the local program as PROXY protocol v2. */
  proxyProtocol: boolean
  /** Say each call. */
  calls: boolean
}

/** What both commands take. */
export interface ExposingOptions extends ClusterOptions, LocalOptions {}

/** A running command with its cluster. */
export interface Exposing extends Running {
  readonly options: LocalOptions
  readonly cluster: Cluster
  readonly parts: Parts
  /** When the command began, by `performance.now()`. */
  readonly began: number
}

/** One exchange or preview that works. */
export interface Begun {
  /** kt-connect's words; scripts wait for them. */
  banner: string
  /** For `kt status`. */
  exposed: string[]
  /** Resolves when it is not ours any more. */
  lost: Promise<Error>
}

/** Everything is known and allowed, and nothing is changed yet; called, it begins. */
export type Planned = () => Promise<Begun>

/** Longest name of a container port (RFC 6335 §5.1). */
const PORT_NAME_MAX = 15

/** One of the commands that lead traffic to this laptop, alone in its process. */
export interface ExposingCommand<Options> {
  name: string
  /** What it cannot do without. */
  rights(namespace: string): Right[]
  plan(exposing: Exposing, options: Options): Promise<Planned>
}

/** Plan, begin, and stay until `stop` is aborted or what was begun is not ours any more; then undo. Rejects with what ended it. */
export async function runExposing<Options extends ExposingOptions>(
  options: Options,
  command: ExposingCommand<NoInfer<Options>>,
  report: Report,
  stop: AbortController
): Promise<void> {
  await runSession(report, stop, async running => {
    const exposing = await beginExposing(running, options, command)
    const begin = await command.plan(exposing, options)
    return ready(exposing, await begin())
  })
}

/** Reach the cluster, be seen by `kt status`, and check the rights: nothing is changed yet. */
async function beginExposing(
  running: Running,
  options: ExposingOptions,
  command: Pick<ExposingCommand<never>, 'name' | 'rights'>
): Promise<Exposing> {
  const began = performance.now()
  const parts: Parts = {}
  const cluster = await openCluster(running, options, command, parts)
  return { ...running, options, cluster, parts, began }
}

/** `PID/START` of this process, for owner annotations. */
export function ownProcess(): string {
  return `${process.pid}/${processStart(process.pid) ?? ''}`
}

/** Does the process of an owner annotation live on this computer? */
export function lives(owner: string): boolean {
  const [pid = '', start = ''] = owner.split('/')
  return start !== '' && processStart(Number(pid)) === start
}

/** All of them work: say so. */
function ready({ report, parts, began }: Exposing, begun: Begun): { lost: Promise<Error> } {
  parts.exposed = begun.exposed
  report({ event: 'ready', ms: performance.now() - began, try: [], banner: begun.banner })
  return begun
}

/** TCP ports whose local program does not listen. */
async function silentPorts(ports: readonly CarriedPort[]): Promise<CarriedPort[]> {
  const heard = await Promise.all(
    ports.map(({ local, network }) =>
      local === undefined || network !== 'tcp' ? true : listens(hostsOf(local.host), local.port)
    )
  )
  return ports.filter((_, i) => !heard[i])
}

/** Somebody must listen where traffic will be led; UDP cannot be asked. Throws KT_NO_LOCAL. */
export async function checkLocalPrograms(ports: readonly CarriedPort[]): Promise<void> {
  const [silent] = await silentPorts(ports)
  if (silent?.local === undefined) return
  const { host, port } = silent.local
  throw new KtError('KT_NO_LOCAL', `nobody listens at ${host}:${port}; nothing has been changed`, {
    hint: 'start the local program first, or give --skipPortChecking'
  })
}

export interface ShadowWish {
  prefix: string
  role: Exposure['role']
  labels: Record<string, string>
  annotations: Record<string, string>
  /** Name of the headless service with the original pods, or empty. */
  originals: string
  ports: CarriedPort[]
  /** Give to the originals also what the local program refuses. */
  fallback: boolean
  /** `prefix` is all of the name. */
  exactly?: boolean
  onShadow?: AgentOptions['onShadow']
}

/** Make the shadow, connect to its agent, and answer what comes in from then on. */
export async function startShadow(exposing: Exposing, wish: ShadowWish): Promise<void> {
  const inbound = await inboundTo(exposing, wish)
  await reachAgent(exposing, exposing.cluster, exposing.parts, {
    image: exposing.options.image,
    exposure: exposureOf(wish),
    onStream: inbound.onStream,
    ...(wish.onShadow === undefined ? {} : { onShadow: wish.onShadow })
  })
}

/** What answers the calls at `ports`, with local programs. */
export async function inboundTo(
  { report, options }: Pick<Exposing, 'report' | 'options'>,
  wish: Pick<ShadowWish, 'ports' | 'fallback'>
): Promise<Inbound> {
  const silent = options.skipPortChecking ? await silentPorts(wish.ports) : []
  return new Inbound({
    ports: wish.ports.flatMap(port => exposedPort(port, !silent.includes(port))),
    proxyProtocol: options.proxyProtocol,
    onListening: ({ hosts: [host], localPort }, listening) => {
      const where = `${host}:${localPort}`
      const text = listening
        ? `somebody listens at ${where} again`
        : `nobody listens at ${where} any more: ${wish.fallback ? 'the original pods serve' : 'callers are refused'} until somebody does`
      report({ event: 'warning', text })
    },
    onCall: ({ source, sourcePort, network, port, verdict, to }) => {
      if (options.calls || verdict !== 'opened')
        report({ event: 'call', network, port, source: `${source}:${sourcePort}`, verdict, to })
    }
  })
}

function exposureOf(wish: ShadowWish): Exposure {
  const { prefix, exactly = false, role, labels, annotations, originals, ports, fallback } = wish
  const config: ExposeConfig = {
    originals,
    ports: ports.map(({ port, network, local }) => ({
      port,
      network,
      to: local === undefined ? 'originals' : 'laptop',
      original: port,
      fallback: fallback && originals !== ''
    }))
  }
  const portNames = ports.filter(({ name }) => name !== '' && name.length <= PORT_NAME_MAX)
  return { prefix, exactly, role, labels, annotations, config, agentPorts: agentPorts(config), portNames }
}

function exposedPort({ port, network, local }: CarriedPort, listening: boolean): ExposedPort[] {
  return local === undefined ? [] : [{ network, port, hosts: hostsOf(local.host), localPort: local.port, listening }]
}

/** Keep a service of ours known as alive, until the session ends. */
export function keepBeating({ life, cluster }: Exposing, service: string): void {
  const heart = setInterval(() => void beatService(cluster, service).catch(() => {}), HEARTBEAT_SECONDS * 1000).unref()
  life.onStop('', () => clearInterval(heart))
}

/** `80/tcp → 127.0.0.1:8080`: one line for each port, said and kept for `kt status`. */
export function describeCarried({ port, network, local }: CarriedPort): string {
  return `${port}/${network} → ${local === undefined ? 'the original pods' : `${local.host}:${local.port}`}`
}
