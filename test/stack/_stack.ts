// A stack on a memory device with a virtual clock; what it says is read as lines in tcpdump's manner.
import { setImmediate as turn } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Connection } from '../../lib/stack/connection.ts'
import type { EchoRequest } from '../../lib/stack/echo.ts'
import type { PendingConnection } from '../../lib/stack/pending.ts'
import { Stack } from '../../lib/stack/stack.ts'
import type { UdpFlow } from '../../lib/stack/udp-flow.ts'
import type { Offload } from '../../lib/tun/device.ts'
import { MemoryDevice } from '../../lib/tun/memory.ts'
import { printPacket } from '../../lib/wire/print.ts'
import { ACK, SYN } from '../../lib/wire/tcp.ts'
import { VirtualClock } from '../_support/clock.ts'
import { checksumsRight, ENDS, type Ends, segment } from '../_support/packets.ts'

/** Our initial sequence number in these tests; the laptop's is `IRS`. */
export const ISS = 1000
export const IRS = 0

export interface Rig {
  clock: VirtualClock
  device: MemoryDevice
  stack: Stack
  pending: PendingConnection[]
  flows: UdpFlow[]
  echoes: EchoRequest[]
  /** Packets that left, with what the device was to finish. */
  sent: { packet: Uint8Array; offload: Offload }[]
  /** Let what was begun happen; the lines of all packets that left since the last call. */
  lines(): Promise<string[]>
  /** Open a connection; its SYN|ACK and ACK are over. */
  open(ends?: Ends): Promise<Connection>
}

/** Every packet that leaves is checked for right checksums. */
export function rig(t: ExecutionContext, { offload = true, mtu = 1500 } = {}): Rig {
  const clock = new VirtualClock()
  const sent: Rig['sent'] = []
  let shown = 0
  const device = new MemoryDevice({
    offload,
    mtu,
    written(packet, order) {
      t.true(checksumsRight(packet, order.checksumStart), printPacket(packet, 0, packet.length))
      if (!offload) t.deepEqual(order, { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 })
      sent.push({ packet, offload: order })
      return true
    }
  })
  const pending: PendingConnection[] = []
  const flows: UdpFlow[] = []
  const echoes: EchoRequest[] = []
  const stack = new Stack({
    device,
    clock,
    random: () => ISS,
    onConnection: one => pending.push(one),
    onFlow: flow => flows.push(flow),
    onEcho: echo => echoes.push(echo)
  })
  stack.start()
  const lines = async (): Promise<string[]> => {
    for (let i = 0; i < 4; i++) await turn()
    const fresh = sent.slice(shown)
    shown = sent.length
    return fresh.map(({ packet }) => printPacket(packet, 0, packet.length))
  }
  return {
    clock,
    device,
    stack,
    pending,
    flows,
    echoes,
    sent,
    lines,
    async open(ends = ENDS) {
      device.inject(segment(ends, SYN, IRS, 0, { options: new Uint8Array([2, 4, 5, 0xb4]) }))
      const connection = pending.at(-1)!.accept()
      await lines()
      device.inject(segment(ends, ACK, IRS + 1, ISS + 1))
      await lines()
      return connection
    }
  }
}
