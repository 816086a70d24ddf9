// Tells a local program who its caller is: PROXY protocol version 2 (haproxy, proxy-protocol.txt, §2.2).
import type { Accepted } from '../../tunnel/request.ts'
import { parseAddress } from '../../wire/address.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
/** Version 2, command PROXY. */
const VERSION_COMMAND = 0x21
/** Address family in the high half, STREAM in the low one. */
const FAMILIES: Record<number, number> = { 4: 0x11, 16: 0x21 }
const UNSPECIFIED = 0x00

/** The header that stands before the first byte of a connection. Addresses of two families cannot be told: then it says only "proxied". */
export function proxyHeader({ source, sourcePort, destination, port }: Omit<Accepted, 'kind' | 'network'>): Uint8Array {
  const [from, to] = [parseAddress(source), parseAddress(destination)]
  const family = from !== undefined && from.length === to?.length ? FAMILIES[from.length] : undefined
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(sourcePort, 0)
  ports.writeUInt16BE(port, 2)
  const addresses = family === undefined ? Buffer.alloc(0) : Buffer.concat([from!, to!, ports])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(addresses.length)
  return Buffer.concat([
    Buffer.from(SIGNATURE, 'latin1'),
    Uint8Array.of(VERSION_COMMAND, family ?? UNSPECIFIED),
    length,
    addresses
  ])
}
