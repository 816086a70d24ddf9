// `--expose`: which port of a service leads to which address of the laptop.
import { isIP } from 'node:net'
import { KtError } from '../../errors.ts'
import type { Pod, Service } from '../api/client.ts'

export type Network = 'tcp' | 'udp'

/** One entry of `--expose` as it was typed. */
export interface Expose {
  /** Where the local program listens: a name or an address. */
  host: string
  port: number
  /** Port or targetPort of the service, number or name. */
  remote: string
  network: Network
}

/** A port of a Service, with the container port behind it where that is known. */
export interface ServicePort {
  /** '' for the only port of a service. */
  name: string
  port: number
  network: Network
  targetPort: number | string
  /** What `targetPort` is in the pods; undefined for a name that no pod has. */
  containerPort: number | undefined
}

/** A port as the agent listens on it. */
export interface CarriedPort {
  /** Container port, where the service's own pods listen too. */
  port: number
  network: Network
  /** Declared under this name, because the service asks for it by name; else empty. */
  name: string
  /** The local program, or undefined: goes on to the original pods. */
  local: { host: string; port: number } | undefined
}

const LOCALHOST = '127.0.0.1'
const PORT_MAX = 65_535
/** Below, listening needs root. */
const FIRST_UNPRIVILEGED_PORT = 1024
/** A port's name (IANA service name), as Kubernetes takes it. */
const PORT_NAME = /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

/** `8080`, `local:remote`, `host:local:remote`, each with `/udp` behind it, comma separated. Throws KT_USAGE. */
export function parseExpose(list: string): Expose[] {
  const parts = list
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
  if (parts.length === 0) throw bad(list)
  return parts.map(parseOne)
}

function parseOne(text: string): Expose {
  const found = /^(.+?)(?:\/(tcp|udp))?$/i.exec(text)
  const network = found?.[2]?.toLowerCase() === 'udp' ? 'udp' : 'tcp'
  // The host may be an IPv6 address in brackets; ports follow it.
  const [, bracketed, rest = ''] = /^(?:\[([^\]]+)\]:)?(.*)$/.exec(found?.[1] ?? '') ?? []
  const fields = rest.split(':')
  const host = bracketed ?? (fields.length === 3 ? (fields.shift() ?? '') : LOCALHOST)
  const [local = '', remote = local] = fields
  const port = portNumber(local)
  const hasRemote = portNumber(remote) !== undefined || PORT_NAME.test(remote)
  if (fields.length > 2 || host === '' || port === undefined || !hasRemote) throw bad(text)
  if (bracketed !== undefined && isIP(bracketed) !== 6) throw bad(text)
  return { host, port, remote, network }
}

function portNumber(text: string): number | undefined {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return number >= 1 && number <= PORT_MAX ? number : undefined
}

function bad(text: string): KtError {
  return new KtError('KT_USAGE', `--expose "${text}" cannot be read`, {
    hint: 'write 8080, or local:remote as in 9090:80, or host:local:remote; /udp behind it for UDP; several with commas'
  })
}

/** The ports of a service; `pods` are those behind it, for ports that are named. SCTP ports are left out. */
export function servicePorts({ spec }: Service, pods: readonly Pod[]): ServicePort[] {
  return (spec?.ports ?? []).flatMap(({ name, port, protocol = 'TCP', targetPort = port }) => {
    if (protocol !== 'TCP' && protocol !== 'UDP') return []
    const network = protocol === 'UDP' ? 'udp' : 'tcp'
    // The API writes a port number that was given as text ("80") as text, and kube-proxy's side takes it for a number.
    const target = portNumber(String(targetPort)) ?? (targetPort as string)
    const containerPort = typeof target === 'number' ? target : portOfPods(target, protocol, pods)
    return [{ name: name ?? '', port, network, targetPort: target, containerPort }]
  })
}

function portOfPods(name: string, protocol: string, pods: readonly Pod[]): number | undefined {
  for (const { spec } of pods)
    for (const { ports = [] } of spec?.containers ?? [])
      for (const p of ports) if (p.name === name && (p.protocol ?? 'TCP') === protocol) return p.containerPort
  return undefined
}

/** `http 80 → 8080, 53/udp`: for messages. */
export function describePorts(ports: readonly ServicePort[]): string {
  return ports.map(describePort).join(', ')
}

/** What `--expose` may be for a port: a local one that needs no root. */
export function exampleExpose({ port, network }: ServicePort): string {
  return `${port < FIRST_UNPRIVILEGED_PORT ? port + 8000 : port}:${port}${network === 'udp' ? '/udp' : ''}`
}

function describePort({ name, port, network, targetPort }: ServicePort): string {
  const target = targetPort === port ? '' : ` → ${targetPort}`
  return `${name === '' ? '' : `${name} `}${port}${network === 'udp' ? '/udp' : ''}${target}`
}

/**
 * All ports of the service, each with the local program that was exposed for it or with none. Throws KT_USAGE, with the
 * ports that exist, for an entry that names none of them, and for two entries that name the same.
 */
export function carriedPorts(
  service: string,
  ports: readonly ServicePort[],
  exposed: readonly Expose[]
): CarriedPort[] {
  const carried = new Map<string, CarriedPort>()
  for (const port of ports) {
    const number = containerPort(service, port)
    const name = typeof port.targetPort === 'string' ? port.targetPort : ''
    const key = `${number}/${port.network}`
    // Two ports of a service may lead to one container port; if one of them does so by name, that name is needed.
    carried.set(key, { port: number, network: port.network, name: carried.get(key)?.name || name, local: undefined })
  }
  for (const expose of exposed) {
    const port = findPort(service, ports, expose)
    const entry = carried.get(`${containerPort(service, port)}/${port.network}`)!
    if (entry.local !== undefined)
      throw new KtError('KT_USAGE', `--expose names port ${describePort(port)} of service ${service} twice`)
    entry.local = { host: expose.host, port: expose.port }
  }
  return [...carried.values()]
}

function containerPort(service: string, { containerPort, targetPort }: ServicePort): number {
  if (containerPort !== undefined) return containerPort
  throw new KtError('KT_NOT_FOUND', `no pod behind service ${service} has a port named "${targetPort}"`, {
    hint: 'start the workload first: the number behind the name is read from its pods'
  })
}

/** The service's own port wins over a targetPort with the same number. */
function findPort(service: string, ports: readonly ServicePort[], { remote, port, network }: Expose): ServicePort {
  const mine = ports.filter(p => p.network === network)
  const found =
    mine.find(p => String(p.port) === remote) ??
    mine.find(p => p.name === remote) ??
    mine.find(p => String(p.targetPort) === remote || String(p.containerPort) === remote)
  if (found !== undefined) return found
  const other = ports.some(p => [p.port, p.name, p.targetPort].some(word => String(word) === remote))
  const suffix = network === 'udp' ? '/udp' : ''
  throw new KtError('KT_USAGE', `service ${service} has no port ${remote}${suffix}; it has: ${describePorts(ports)}`, {
    hint: other
      ? `for its ${network === 'udp' ? 'TCP' : 'UDP'} port write --expose ${port}:${remote}${network === 'udp' ? '' : '/udp'}`
      : `write --expose ${port}:${ports[0]?.port ?? 'PORT'}${ports[0]?.network === 'udp' ? '/udp' : ''} to lead the service's port to your ${port}`
  })
}

/** Ports of one pod: any number, or a name that one of its containers has given. Throws KT_USAGE with those that it declares. */
export function podPorts({ metadata, spec }: Pod, exposed: readonly Expose[]): CarriedPort[] {
  const declared = (spec?.containers ?? []).flatMap(({ ports = [] }) => ports)
  const words = declared.map(p => `${p.name ?? ''} ${p.containerPort}${p.protocol === 'UDP' ? '/udp' : ''}`.trim())
  const has = words.length === 0 ? 'it declares none' : `it declares: ${words.join(', ')}`
  if (exposed.length === 0)
    throw new KtError('KT_USAGE', `--expose is missing; pod ${metadata?.name}: ${has}`, {
      hint: 'write --expose LOCAL:PORT'
    })
  return previewPorts(
    exposed.map(expose => {
      const named = declared.find(
        p => p.name === expose.remote && (p.protocol ?? 'TCP').toLowerCase() === expose.network
      )
      if (named === undefined && portNumber(expose.remote) === undefined)
        throw new KtError('KT_USAGE', `pod ${metadata?.name} has no port named "${expose.remote}"; ${has}`)
      return { ...expose, remote: String(named?.containerPort ?? expose.remote) }
    })
  )
}

/** Ports of a new service: as typed, `remote` must be a number. Throws KT_USAGE. */
export function previewPorts(exposed: readonly Expose[]): CarriedPort[] {
  const ports = exposed.map(({ host, port, remote, network }) => {
    const number = portNumber(remote)
    if (number === undefined)
      throw new KtError('KT_USAGE', `--expose: "${remote}" is no port number`, {
        hint: `a new service has no names of ports yet: write ${port}:80`
      })
    return { port: number, network, name: '', local: { host, port } }
  })
  const twice = ports.find((p, i) => ports.findIndex(q => q.port === p.port && q.network === p.network) !== i)
  if (twice !== undefined) throw new KtError('KT_USAGE', `--expose names port ${twice.port}/${twice.network} twice`)
  return ports
}
