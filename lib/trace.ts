// What happens inside, for whoever listens: `--debug`, tests, later the dashboard. Publish only if `hasSubscribers`.
import { channel } from 'node:diagnostics_channel'

/** A connection through the TUN: `{ event, network, source, destination, name? }`. */
export const connectionTrace = channel('kt:connection')
/** A DNS question: `{ name, type, source, rcode, ms }`. */
export const dnsTrace = channel('kt:dns')
/** The carrier: `{ event, detail }`. */
export const carrierTrace = channel('kt:carrier')
/** A step of starting or stopping: `{ step, ms }`. */
export const sessionTrace = channel('kt:session')
