// Who takes part in a mesh and with what: the document in its ConfigMap, and the routes that follow from it. Pure.
import { KtError } from '../../errors.ts'
import { type Condition, parseRoutes, type RouterConfig, type RouterPort } from '../../router/config.ts'
import type { SelectorMode } from '../traffic/exchange-plan.ts'
import { describeConditions, sameConditions } from './match.ts'

/** One developer with one version of a service. */
export interface Participant {
  /** Unique in a mesh: his route's name and part of his shadow's. */
  version: string
  user: string
  host: string
  /** `PID/START` of his kt. */
  process: string
  match: Condition[]
  /** He gets copies, the original answers. */
  mirror: boolean
  /** Container ports that lead to his laptop. */
  ports: number[]
  /** His shadow; empty while there is none: he has his place but no route. */
  pod: string
  address: string
}

/** A mesh of one service. */
export interface Mesh {
  format: 1
  service: string
  /** Value of the extra key in the service's selector. */
  token: string
  mode: SelectorMode
  /** Name of the headless service with the original pods. */
  originals: string
  /** All ports of the pods behind the service; `name` where the service asks for it by name. */
  ports: (RouterPort & { name: string })[]
  /** The last one has left: it is being taken down, and nobody comes in any more. */
  closing: boolean
  participants: Participant[]
}

/** Who he is, without what he wants. */
export type Identity = Pick<Participant, 'version' | 'user' | 'host' | 'process'>

/** Is it the same process with the same version? */
export function isSame(a: Identity, b: Identity): boolean {
  return a.version === b.version && a.process === b.process && a.host === b.host && a.user === b.user
}

/** `alice on laptop-7`. */
export function describeIdentity({ user, host }: Identity): string {
  return `${user}${host === '' ? '' : ` on ${host}`}`
}

/** The mesh with one more, without those who have `left`. Throws KT_CONFLICT for a version, or conditions, that somebody else has. */
export function admit(mesh: Mesh, participant: Participant, left: (other: Participant) => boolean): Mesh {
  const others = mesh.participants.filter(other => !isSame(other, participant) && !left(other))
  const same = others.find(({ version }) => version === participant.version)
  if (same !== undefined)
    throw new KtError(
      'KT_CONFLICT',
      `version '${same.version}' of service '${mesh.service}' is taken by ${describeIdentity(same)}`,
      { hint: 'choose another --versionMark; --takeover takes it once they have been silent for two minutes' }
    )
  const alike = others.find(({ match }) => sameConditions(match, participant.match))
  if (alike !== undefined)
    throw new KtError(
      'KT_CONFLICT',
      `${describeConditions(alike.match)} leads to version '${alike.version}' of ${describeIdentity(alike)} already`
    )
  return { ...mesh, participants: [...others, participant] }
}

/** His shadow is at `address` now. Undefined: he does not take part any more. */
export function placed(mesh: Mesh, who: Identity, pod: string, address: string): Mesh | undefined {
  if (!mesh.participants.some(other => isSame(other, who))) return undefined
  const participants = mesh.participants.map(other => (isSame(other, who) ? { ...other, pod, address } : other))
  return { ...mesh, participants }
}

/**
 * Without him; with the last one go those who have been `silent`, and the mesh closes. Undefined: he does not take part.
 */
export function without(mesh: Mesh, who: Identity, silent: (participant: Participant) => boolean): Mesh | undefined {
  const others = mesh.participants.filter(other => !isSame(other, who))
  if (others.length === mesh.participants.length) return undefined
  const participants = others.every(silent) ? [] : others
  return { ...mesh, participants, closing: participants.length === 0 }
}

/** What the router is told. Whoever asks for more comes first, because he would never be reached behind one who asks for less. */
export function routesOf({ service, originals, ports, participants }: Mesh): RouterConfig {
  const present = participants.filter(({ address }) => address !== '')
  const ordered = present.toSorted(
    (a, b) => b.match.length - a.match.length || longestPath(b.match) - longestPath(a.match)
  )
  return {
    version: 1,
    service,
    originals,
    ports: ports.map(({ port, network, original }) => ({ port, network, original })),
    routes: ordered.map(participant => ({
      name: participant.version,
      owner: describeIdentity(participant),
      match: participant.match,
      to: { host: participant.address, ports: Object.fromEntries(participant.ports.map(port => [port, port])) },
      mirror: participant.mirror
    }))
  }
}

/** `/shop/cart` is asked before `/shop`. */
function longestPath(match: readonly Condition[]): number {
  return Math.max(0, ...match.map(condition => ('pathPrefix' in condition ? condition.pathPrefix.length : 0)))
}

const MESH_FILE = 'mesh.json'
/** What the routers read. */
export const ROUTES_FILE = 'routes.json'

/** Keys of the ConfigMap. Throws KT_INTERNAL for routes that the router would refuse. */
export function encodeMesh(mesh: Mesh): Record<string, string> {
  const routes = JSON.stringify(routesOf(mesh), null, 2)
  try {
    parseRoutes(routes)
  } catch (cause) {
    throw new KtError('KT_INTERNAL', `the router would not take its routes: ${(cause as Error).message}`, { cause })
  }
  return { [MESH_FILE]: JSON.stringify(mesh), [ROUTES_FILE]: routes }
}

/** Undefined: it is none, or one of another version of kt. */
export function decodeMesh(data: Record<string, string> | undefined): Mesh | undefined {
  try {
    const mesh = JSON.parse(data?.[MESH_FILE] ?? '') as Partial<Mesh>
    const whole =
      mesh.format === 1 &&
      [mesh.service, mesh.token, mesh.originals].every(text => typeof text === 'string' && text !== '') &&
      [mesh.ports, mesh.participants].every(Array.isArray)
    return whole ? (mesh as Mesh) : undefined
  } catch {
    return undefined
  }
}
