// The subnets of the laptop's own addresses, as Node knows them on every system.
import type { networkInterfaces } from 'node:os'
import { parseRange, toCidrs } from './intervals.ts'

/** Without loopback, addresses of one link only, and the device `except`. */
export function ownSubnets(
  interfaces: ReturnType<typeof networkInterfaces>,
  except: string
): { cidr: string; device: string }[] {
  return Object.entries(interfaces).flatMap(([device, addresses = []]) =>
    addresses.flatMap(({ cidr, internal, family, scopeid }) => {
      if (device === except || internal || cidr === null || (family === 'IPv6' && scopeid !== 0)) return []
      const range = parseRange(cidr)
      return range === undefined ? [] : toCidrs(range).map(each => ({ cidr: each, device }))
    })
  )
}
