import { connect } from 'node:net'
import { KtError } from '../errors.ts'
import { processStart } from '../host/state.ts'
import type { Right } from '../kube/api-error.ts'
import type { Cluster } from '../kube/client.ts'
import { beatService } from '../kube/exchange.ts'
import { HEARTBEAT_SECONDS } from '../kube/owner.ts'
import type { CarriedPort } from '../kube/ports.ts'
import type { Exposure } from '../kube/shadow-manifest.ts'
import { agentPorts, type ExposeConfig } from '../tunnel/expose.ts'
import { type ExposedPort, Inbound, LOCALHOST } from './inbound.ts'
import { type ClusterOptions, openCluster } from './open-cluster.ts'
import { reachAgent } from './reach-agent.ts'
import type { Running } from './run.ts'
import type { Parts } from './status.ts'

/** What both commands take. */
export interface ExposingOptions extends ClusterOptions {
  image: string
  /** Begin although nobody listens at a local port yet. */
  skipPortChecking: boolean
  /** Hand the caller's address to the local program as PROXY protocol v2. */
  proxyProtocol: boolean
  /** Say each call. */
  calls: boolean
}

/** A running command with its cluster. */
export interface Exposing extends Running {
  readonly options: ExposingOptions
  readonly cluster: Cluster
  readonly parts: Parts
  /** When the command began, by `performance.now()`. */
  readonly began: number
}

/** Local programs answer within this or are taken for silent. */
const CHECK_MS = 1_000
/** Longest name of a container port (RFC 6335 §5.1). */
const PORT_NAME_MAX = 15

/** Reach the cluster, be seen by `kt status`, and check the rights: nothing is changed yet. */
export async function beginExposing(
  running: Running,
  options: ExposingOptions,
  command: { name: string; rights(namespace: string): Right[] }
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

/** Somebody must listen where traffic will be led; UDP cannot be asked. Throws KT_NO_LOCAL. */
export async function checkLocalPrograms(ports: readonly CarriedPort[]): Promise<void> {
  for (const { local, network } of ports) {
    if (local === undefined || network !== 'tcp') continue
    const heard = await Promise.all(hostsOf(local.host).map(host => listens(host, local.port)))
    if (heard.some(Boolean)) continue
    throw new KtError('KT_NO_LOCAL', `nobody listens at ${local.host}:${local.port}; nothing has been changed`, {
      hint: 'start the local program first, or give --skipPortChecking'
    })
  }
}

/** This computer is meant by its name and both of its addresses, whichever family the program has chosen. */
function hostsOf(host: string): readonly string[] {
  return host === 'localhost' || host === '127.0.0.1' ? LOCALHOST : [host]
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: CHECK_MS })
    const settle = (heard: boolean): void => {
      socket.destroy()
      resolve(heard)
    }
    socket.on('connect', () => settle(true))
    socket.on('error', () => settle(false))
    socket.on('timeout', () => settle(false))
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
}

/** Make the shadow, connect to its agent, and answer what comes in from then on. */
export async function startShadow(exposing: Exposing, wish: ShadowWish): Promise<void> {
  const { report, options, cluster, parts } = exposing
  const inbound = new Inbound({
    ports: wish.ports.flatMap(exposedPort),
    proxyProtocol: options.proxyProtocol,
    onCall: ({ source, sourcePort, network, port, verdict, to }) => {
      if (options.calls || verdict !== 'opened')
        report({ event: 'call', network, port, source: `${source}:${sourcePort}`, verdict, to })
    }
  })
  await reachAgent(exposing, cluster, parts, {
    image: options.image,
    exposure: exposureOf(wish),
    onStream: inbound.onStream
  })
}

function exposureOf({ prefix, role, labels, annotations, originals, ports, fallback }: ShadowWish): Exposure {
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
  return { prefix, role, labels, annotations, config, agentPorts: agentPorts(config), portNames }
}

function exposedPort({ port, network, local }: CarriedPort): ExposedPort[] {
  return local === undefined ? [] : [{ network, port, hosts: hostsOf(local.host), localPort: local.port }]
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
