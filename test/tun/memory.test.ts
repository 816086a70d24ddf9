import test from 'ava'
import { MemoryDevice } from '../../lib/tun/memory.ts'
import { IpView } from '../../lib/wire/ip.ts'
import { UDP_HEADER_LENGTH } from '../../lib/wire/udp.ts'
import { datagram } from '../_support/packets.ts'
import { DEVICE_CASES, type DeviceRig } from '../compliance/device.ts'

function rig(offload: boolean): DeviceRig {
  const waiting: ((payload: Uint8Array) => void)[] = []
  const device = new MemoryDevice({
    offload,
    written(packet) {
      const ip = new IpView()
      if (!ip.wrap(packet, 0, packet.length)) return false
      waiting.shift()?.(packet.subarray(ip.payload + UDP_HEADER_LENGTH))
      return true
    }
  })
  return {
    device,
    send: (payload, ends) => device.inject(datagram(ends, payload)),
    receive: () => new Promise(resolve => waiting.push(resolve)),
    lose: () => device.lose(new Error('gone'))
  }
}

for (const offload of [true, false]) {
  for (const [name, run] of Object.entries(DEVICE_CASES)) {
    test(`memory device, offload ${offload}: ${name}`, async t => {
      await t.notThrowsAsync(run(rig(offload)))
    })
  }
}
