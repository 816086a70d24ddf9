// Where a session lives on this computer: a device, addresses and a pool of virtual ones that no other session has. Pure.

/** Sessions with a device at a time: one for each first octet of 240.0.0.0/4 that is no broadcast address. */
export const SLOTS = 15

export interface Slot {
  device: string
  /** The computer's own addresses on the device, with prefix. */
  addresses: readonly string[]
  /** Where the session's resolver answers: IPv4, IPv6. */
  resolver: readonly [string, string]
  /** Where virtual ranges are taken from: reserved IPv4 (RFC 1112 §4), which nobody uses and Linux routes, and unique local IPv6. */
  pools: readonly string[]
}

/** The place of this number, from 0. */
export function slotOf(number: number): Slot {
  const at = (host: number): number => 4 * number + host
  return {
    device: `kt${number}`,
    addresses: [`198.18.0.${at(1)}/30`, `fd6b:7400::${at(1).toString(16)}/126`],
    resolver: [`198.18.0.${at(2)}`, `fd6b:7400::${at(2).toString(16)}`],
    pools: [`${240 + number}.0.0.0/8`, `fd6b:75${number.toString(16).padStart(2, '0')}::/32`]
  }
}

/** True for the device of a session. */
export function isKtDevice(name: string): boolean {
  return /^kt\d{1,2}$/.test(name)
}

/** True for the IPv4 address of a session's resolver. */
export function isKtServer(address: string): boolean {
  const host = Number(/^198\.18\.0\.(\d{1,3})$/.exec(address)?.[1])
  return host % 4 === 2 && host < 4 * SLOTS
}
