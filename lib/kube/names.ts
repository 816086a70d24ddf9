// Names of the objects kt makes: those of kt-connect.
import { randomInt } from 'node:crypto'

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
