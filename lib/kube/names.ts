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

/** Longest name of a Service (RFC 1035 label). */
const NAME_MAX = 63
const STUNTMAN = '-kt-stuntman'

/** `<svc>-kt-stuntman`; a name too long for that keeps its beginning and gets a hash of all of it. */
export function stuntmanName(service: string): string {
  if (service.length + STUNTMAN.length <= NAME_MAX) return `${service}${STUNTMAN}`
  const hash = createHash('sha256').update(service).digest('hex').slice(0, 8)
  return `${service.slice(0, NAME_MAX - STUNTMAN.length - hash.length - 1)}-${hash}${STUNTMAN}`
}
