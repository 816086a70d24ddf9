// One suite for every Device. Its cases are plain functions, since the real device lives in a process inside a namespace.
import assert from 'node:assert/strict'
import type { Device, Offload, PacketBatch } from '../../lib/tun/device.ts'
import { setU16 } from '../../lib/wire/bytes.ts'
import { fold } from '../../lib/wire/checksum.ts'
import { IpView, pseudoHeaderSum, UDP } from '../../lib/wire/ip.ts'
import { UdpView } from '../../lib/wire/udp.ts'
import { addresses, datagram, ENDS, ENDS6, type Ends } from '../_support/packets.ts'

/** A device and the kernel's side of it, which speaks UDP from and to `ENDS` and `ENDS6`. */
export interface DeviceRig {
  device: Device
  /** Let a datagram of the laptop go into the device. */
  send(payload: Uint8Array, ends: Ends): void
  /** The next datagram that the laptop's socket for these ends received from the device. */
  receive(ends: Ends): Promise<Uint8Array>
  /** Let the device go away from outside. */
  lose(): void
}

const COMPLETE: Offload = { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 }

const payload = (length: number, seed: number): Uint8Array =>
  new Uint8Array(length).map((_, i) => (i * 7 + seed) & 0xff)

/** The answer to what `ends` has sent. */
const back = (ends: Ends): Ends => ({
  source: ends.destination,
  sourcePort: ends.destinationPort,
  destination: ends.source,
  destinationPort: ends.sourcePort
})

async function until(what: () => boolean): Promise<void> {
  for (const end = performance.now() + 3000; !what(); await new Promise(resolve => setTimeout(resolve, 2))) {
    assert.ok(performance.now() < end, 'nothing came in time')
  }
}

/** UDP payloads of a batch, in order; other packets (a kernel's own) are left out. */
function payloads({ bytes, count, starts, ends }: PacketBatch): Uint8Array[] {
  const found: Uint8Array[] = []
  const ip = new IpView()
  const udp = new UdpView()
  for (let i = 0; i < count; i++) {
    if (!ip.wrap(bytes, starts[i]!, ends[i]!) || ip.protocol !== UDP || ip.fragmented) continue
    assert.equal(ip.end, ends[i], 'the packet ends where the batch says')
    if (!udp.wrap(bytes, ip.payload, ip.end) || udp.destinationPort !== ENDS.destinationPort) continue
    found.push(new Uint8Array(bytes.subarray(udp.payload, udp.end)))
  }
  return found
}

/** Write a packet from the middle of a larger buffer; what lies around it must stay as it was, but for the headroom. */
function write(device: Device, packet: Uint8Array, offload: Offload): boolean {
  const start = 100
  const bytes = new Uint8Array(start + packet.length + 100).fill(0x55)
  bytes.set(packet, start)
  const taken = device.write(bytes, start, start + packet.length, offload)
  assert.ok(
    bytes.subarray(0, start - device.headroom).every(byte => byte === 0x55),
    'nothing before the headroom changes'
  )
  assert.ok(
    bytes.subarray(start + packet.length).every(byte => byte === 0x55),
    'nothing behind the packet changes'
  )
  return taken
}

export const DEVICE_CASES: Record<string, (rig: DeviceRig) => Promise<void>> = {
  async 'says what it is'({ device }) {
    assert.match(device.name, /^.{1,15}$/)
    assert.ok(device.mtu >= 1280 && device.mtu <= 65_535)
    assert.ok(device.headroom >= 0 && device.headroom <= 64)
  },

  async 'hands over packets of any length, in order, whole'({ device, send }) {
    const got: Uint8Array[] = []
    device.start(batch => got.push(...payloads(batch)), assert.fail)
    const sent: Uint8Array[] = []
    for (let i = 0; i < 600; i++) sent.push(payload(1 + ((i * 37) % 1400), i))
    for (const [i, bytes] of sent.entries()) send(bytes, i % 2 === 0 ? ENDS : ENDS6)
    await until(() => got.length >= sent.length)
    // Two sockets, and each keeps its own order: the first byte of a payload is its number.
    for (const family of [0, 1]) {
      const one = (list: Uint8Array[]): Uint8Array[] => list.filter(bytes => bytes[0]! % 2 === family)
      assert.deepEqual(one(got), one(sent))
    }
  },

  async 'takes packets with a complete checksum'({ device, receive }) {
    device.start(() => {}, assert.fail)
    for (const ends of [ENDS, ENDS6]) {
      for (const length of [0, 1, 999, 1400]) {
        const bytes = payload(length, length)
        const received = receive(ends)
        assert.ok(write(device, datagram(back(ends), bytes), COMPLETE))
        assert.deepEqual(await received, bytes)
      }
    }
  },

  async 'finishes a checksum, and takes long packets, if it says so'({ device, receive }) {
    device.start(() => {}, assert.fail)
    if (!device.offload) return
    for (const [ends, headerLength] of [
      [ENDS, 20],
      [ENDS6, 40]
    ] as const) {
      const bytes = payload(60_001, 3)
      const packet = datagram(back(ends), bytes)
      // Only the pseudo-header is in the sum: what the stack leaves to the device.
      setU16(packet, headerLength + 6, fold(pseudoHeaderSum(addresses(ends), UDP) + packet.length - headerLength))
      const received = receive(ends)
      const order = { checksumStart: headerLength, checksumOffset: 6, segmentSize: 0, headerLength: headerLength + 8 }
      assert.ok(write(device, packet, order))
      assert.deepEqual(await received, bytes)
    }
  },

  async 'says no to what is no packet'({ device }) {
    device.start(() => {}, assert.fail)
    assert.equal(write(device, new Uint8Array(0), COMPLETE), false)
    assert.equal(write(device, new Uint8Array(40), COMPLETE), false)
  },

  async 'is silent while paused, and goes on'({ device, send }) {
    const got: Uint8Array[] = []
    device.start(batch => got.push(...payloads(batch)), assert.fail)
    send(payload(10, 1), ENDS)
    await until(() => got.length === 1)
    device.pause()
    for (let i = 0; i < 50; i++) send(payload(100 + i, i), ENDS)
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.equal(got.length, 1, 'nothing arrives while paused')
    device.resume()
    await until(() => got.length === 51)
  },

  async 'tells once that it is gone, and can be closed then'({ device, lose }) {
    const errors: Error[] = []
    device.start(
      () => {},
      error => errors.push(error)
    )
    lose()
    await until(() => errors.length === 1)
    assert.equal(write(device, datagram(back(ENDS), payload(10, 1)), COMPLETE), false)
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(errors.length, 1)
    await device.close()
    await device.close()
  },

  async 'is silent after close'({ device }) {
    device.start(() => assert.fail('a packet after close'), assert.fail)
    await device.close()
    await device.close()
    assert.equal(write(device, datagram(back(ENDS), payload(10, 1)), COMPLETE), false)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
