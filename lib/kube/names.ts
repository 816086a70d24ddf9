// Names of the objects kt makes: those of kt-connect.
import { createHash, randomInt } from 'node:crypto'

/** Five lower-case letters, as in `kt-connect-shadow-xxxxx`. */
export function randomSuffix(): string {
  return Array.from({ length: 5 }, () => String.fromCharCode(97 + randomInt(26))).join('')
}

/** Every object kt makes carries it. */
export const CONTROL_LABEL = 'control-by'
/** What kind of shadow an object belongs to. */
export const ROLE_LABEL = 'kt-role'
/** Who made it. */
export const USER_ANNOTATION = 'kt-user'
/** When its owner was last seen, seconds since the epoch; `clean` of kt and of kt-connect go by it. */
export const HEARTBEAT_ANNOTATION = 'kt-last-heart-beat'
/** What an object was made for: `service=NAME`, further fields after a comma. */
export const CONFIG_ANNOTATION = 'kt-config'
/** The original selector of a service whose selector was replaced, as JSON. */
export const SELECTOR_ANNOTATION = 'kt-selector'
/** By this a preview selects its shadow, as kt-connect's objects do. */
export const TARGET_LABEL = 'kt-target'
/** The one key by which an exchanged service selects its shadow; also a label of that service, so that it can be listed. */
export const EXCHANGE_KEY = 'kt-exchange'

/** The same for a meshed service and its routers. */
export const MESH_KEY = 'kt-mesh'

/** Longest name of a Service (RFC 1035 label). */
const NAME_MAX = 63

/** `<svc>-kt-stuntman`: the headless service with the original selector. */
export function stuntmanName(service: string): string {
  return withEnd(service, '-kt-stuntman')
}

/** `<svc>-kt-router`: the routers of a mesh, and what they go by. */
export function routerName(service: string): string {
  return withEnd(service, '-kt-router')
}

/** `<svc>-kt-mesh-<version>`: one participant's shadow. What a name cannot hold of the version is told by a hash; `end` is put behind it. */
export function meshName(service: string, version: string, end = ''): string {
  const plain = version.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
  return withEnd(service, `-kt-mesh-${plain === version ? plain : `${plain}-${hashOf(version)}`}${end}`)
}

/** A service's name too long for that keeps its beginning and gets a hash of all of it. */
function withEnd(service: string, end: string): string {
  const room = NAME_MAX - end.length
  if (service.length <= room) return `${service}${end}`
  return room > 16 ? `${service.slice(0, room - 9)}-${hashOf(service)}${end}` : `kt-mesh-${hashOf(`${service}${end}`)}`
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
