// What happens inside, for whoever listens: `--debug`, tests, the dashboard. Publish only if `hasSubscribers`.
import { channel } from 'node:diagnostics_channel'

/** A connection through the TUN: `{ event, network, source, destination, name? }`. */
export const connectionTrace = channel('kt:connection')
/** A DNS question: `{ name, type, source, rcode, ms, addresses, why }`. */
export const dnsTrace = channel('kt:dns')
/** The carrier: `{ event, detail }`. */
export const carrierTrace = channel('kt:carrier')
/** A step of starting or stopping: `{ step, ms }`. */
export const sessionTrace = channel('kt:session')
/** A connection to an exposed port, joined to its local program: `{ port, source, to, stream, socket }`, before the first byte. */
export const inboundTrace = channel('kt:inbound')
