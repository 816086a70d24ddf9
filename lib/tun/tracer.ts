// A device around a device: shows every packet on its way in and out to whoever listens. Without listeners it costs a test a batch.
import type { Device } from './device.ts'

/** `bytes[start, end)` is the packet; valid during the call. With offload its checksum may be unfinished. */
export type PacketSeen = (direction: 'in' | 'out', bytes: Uint8Array, start: number, end: number) => void

/** The same device, but those in `listeners`, who come and go, are told of each packet: `in` has come from the kernel, `out` was taken by it. */
export function traceDevice(device: Device, listeners: ReadonlySet<PacketSeen>): Device {
  return {
    name: device.name,
    mtu: device.mtu,
    offload: device.offload,
    headroom: device.headroom,
    start(received, lost) {
      device.start(batch => {
        for (const seen of listeners)
          for (let i = 0; i < batch.count; i++) seen('in', batch.bytes, batch.starts[i]!, batch.ends[i]!)
        received(batch)
      }, lost)
    },
    write(bytes, start, end, offload) {
      const taken = device.write(bytes, start, end, offload)
      if (taken && listeners.size > 0) for (const seen of listeners) seen('out', bytes, start, end)
      return taken
    },
    pause: () => device.pause(),
    resume: () => device.resume(),
    close: () => device.close()
  }
}
