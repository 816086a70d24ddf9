// Addresses of this pod and of those who come to it.
import { networkInterfaces } from 'node:os'

/** How an IPv4 caller looks to a socket that listens on both families (RFC 4291 §2.5.5.2). */
const MAPPED = '::ffff:'

/** The canonical text of an address that a socket has told: IPv4 as such, no zone. */
export function canonical(address: string): string {
  const [text] = address.split('%')
  return text!.startsWith(MAPPED) && text!.includes('.') ? text!.slice(MAPPED.length) : text!
}

/** All addresses of this pod but loopback, canonical. */
export function ownAddresses(): Set<string> {
  const found = new Set<string>()
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, internal } of addresses ?? []) if (!internal) found.add(address)
  }
  return found
}
