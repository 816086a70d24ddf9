// A program of its own, in a namespace: a TUN device with nothing behind it, which takes packets or makes them.
// Argument: `offload` or `plain`. Orders come as messages, results go back.
import { createSocket } from 'node:dgram'
import { openTun } from '../../lib/tun/linux.ts'
import { parseAddress } from '../../lib/wire/address.ts'
import { setU16 } from '../../lib/wire/bytes.ts'
import { add, fold } from '../../lib/wire/checksum.ts'
import { pseudoHeaderSum, UDP } from '../../lib/wire/ip.ts'
import { emitIpv4, IPV4_HEADER_LENGTH } from '../../lib/wire/ipv4.ts'
import { emitUdp, UDP_CHECKSUM, UDP_HEADER_LENGTH } from '../../lib/wire/udp.ts'
import { CLUSTER, configure, LAPTOP } from '../../test/_support/laptop.ts'

export interface DeviceOrder {
  what: 'write' | 'read'
  ms: number
  /** Of an IP packet. */
  packetBytes: number
}

export interface DeviceResult {
  packets: number
  bytes: number
  /** Packets that the kernel did not take. */
  refused: number
  ms: number
  cpuSeconds: number
}

/** Packets between two turns of the event loop. */
const BURST = 64
const HEADERS = IPV4_HEADER_LENGTH + UDP_HEADER_LENGTH
/** Largest payload of a segment of a super-datagram at the MTU of a device with offload. */
const SEGMENT_BYTES = 1400

const device = await openTun({ name: 'bench0', offload: process.argv[2] === 'offload' })
configure(device)
let packets = 0
let bytes = 0
device.start(
  batch => {
    packets += batch.count
    for (let i = 0; i < batch.count; i++) bytes += batch.ends[i]! - batch.starts[i]!
  },
  () => process.exit(1)
)
// Takes what is written and drops it when full: without it the kernel would answer each packet with an ICMP message.
const sink = createSocket('udp4').bind(9, LAPTOP[4])
sink.on('message', () => {})

process.on('disconnect', () => process.exit())
process.on('message', (order: DeviceOrder) => {
  void measure(order).then(result => process.send?.(result))
})
process.send?.('ready')

async function measure({ what, ms, packetBytes }: DeviceOrder): Promise<DeviceResult> {
  packets = 0
  bytes = 0
  const cpu = process.cpuUsage()
  const began = performance.now()
  const refused =
    what === 'write'
      ? await write(ms, packetBytes)
      : await new Promise<number>(resolve => setTimeout(() => resolve(0), ms))
  const { user, system } = process.cpuUsage(cpu)
  return { packets, bytes, refused, ms: performance.now() - began, cpuSeconds: (user + system) / 1e6 }
}

async function write(ms: number, packetBytes: number): Promise<number> {
  const start = device.headroom
  const memory = new Uint8Array(start + packetBytes)
  const addresses = new Uint8Array([...parseAddress(CLUSTER[4])!, ...parseAddress(LAPTOP[4])!])
  const udp = start + IPV4_HEADER_LENGTH
  emitIpv4(memory, start, addresses, UDP, packetBytes)
  emitUdp(memory, udp, 7, 9, packetBytes - IPV4_HEADER_LENGTH)
  const split = device.offload && packetBytes > device.mtu
  const offload = { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 }
  if (split) {
    const length = new Uint8Array([(packetBytes - IPV4_HEADER_LENGTH) >> 8, (packetBytes - IPV4_HEADER_LENGTH) & 255])
    setU16(memory, udp + UDP_CHECKSUM, fold(add(pseudoHeaderSum(addresses, UDP), length, 0, 2)))
    Object.assign(offload, {
      checksumStart: IPV4_HEADER_LENGTH,
      checksumOffset: UDP_CHECKSUM,
      segmentSize: SEGMENT_BYTES,
      headerLength: HEADERS
    })
  }
  let refused = 0
  const until = performance.now() + ms
  while (performance.now() < until) {
    for (let i = 0; i < BURST; i++) {
      if (device.write(memory, start, memory.length, offload)) {
        packets++
        bytes += packetBytes
      } else refused++
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  return refused
}
