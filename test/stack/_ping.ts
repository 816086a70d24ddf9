// ICMP echo through a raw socket of the kernel: `ping` is not on every machine.
import koffi from 'koffi'
import { parseAddress } from '../../lib/wire/address.ts'
import { add, finish } from '../../lib/wire/checksum.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const IPPROTO_ICMP = 1
const IPPROTO_ICMPV6 = 58

const libc = koffi.load(null)
const socket = libc.func('socket', 'int', ['int', 'int', 'int'])
const connect = libc.func('connect', 'int', ['int', 'uint8_t *', 'uint32_t'])
const send = libc.func('send', 'int64_t', ['int', 'uint8_t *', 'size_t', 'int'])
const recv = libc.func('recv', 'int64_t', ['int', '_Out_ uint8_t *', 'size_t', 'int'])
const close = libc.func('close', 'int', ['int'])

/** Send one echo request with `length` bytes; true if exactly they come back within `ms`. */
export async function ping(host: string, length: number, ms: number): Promise<boolean> {
  const address = parseAddress(host)!
  const v6 = address.length === 16
  const fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) as number
  try {
    const sockaddr = new Uint8Array(v6 ? 28 : 16)
    sockaddr[0] = v6 ? AF_INET6 : AF_INET
    sockaddr.set(address, v6 ? 8 : 4)
    if (connect(fd, sockaddr, sockaddr.length) !== 0) throw new Error(`connect: errno ${koffi.errno()}`)
    const request = new Uint8Array(8 + length).map((_, i) => i)
    request.set([v6 ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 1])
    // The kernel fills in the checksum of ICMPv6.
    if (!v6) new DataView(request.buffer).setUint16(2, finish(add(0, request, 0, request.length)))
    if (send(fd, request, request.length, 0) !== request.length) throw new Error(`send: errno ${koffi.errno()}`)
    const buffer = new Uint8Array(65_536)
    for (const until = performance.now() + ms; performance.now() < until; await new Promise(r => setTimeout(r, 5))) {
      const n = Number(recv(fd, buffer, buffer.length, 0))
      // An IPv4 raw socket shows the IP header too.
      const reply = buffer.subarray(v6 ? 0 : 20, Math.max(n, 0))
      if (reply.length !== request.length || reply[0] !== (v6 ? 129 : 0)) continue
      return Buffer.compare(reply.subarray(4), request.subarray(4)) === 0
    }
    return false
  } finally {
    close(fd)
  }
}
