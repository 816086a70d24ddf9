// In a namespace: the real device and plain UDP sockets as the kernel's side of it.
import { execFileSync, spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { openTun, type TunOptions } from '../../lib/tun/linux.ts'
import { configure } from '../_support/laptop.ts'
import { serveCalls } from '../_support/netns.ts'
import { ENDS, ENDS6, type Ends } from '../_support/packets.ts'
import { DEVICE_CASES, type DeviceRig } from '../compliance/device.ts'

async function socketFor(ends: Ends): Promise<dgram.Socket> {
  const socket = dgram.createSocket({ type: ends === ENDS ? 'udp4' : 'udp6', recvBufferSize: 1 << 20 })
  socket.bind(ends.sourcePort, ends.source)
  await once(socket, 'listening')
  return socket
}

serveCalls({
  async run(name: string, options: TunOptions): Promise<void> {
    const device = await openTun({ name: 'case0', ...options })
    configure(device)
    const sockets = new Map<Ends, dgram.Socket>()
    for (const ends of [ENDS, ENDS6]) sockets.set(ends, await socketFor(ends))
    const rig: DeviceRig = {
      device,
      send: (payload, ends) => sockets.get(ends)!.send(payload, ends.destinationPort, ends.destination),
      receive: async ends => new Uint8Array((await once(sockets.get(ends)!, 'message'))[0] as Buffer),
      lose: () => execFileSync('ip', ['link', 'del', 'dev', device.name])
    }
    try {
      await DEVICE_CASES[name]!(rig)
    } finally {
      for (const socket of sockets.values()) socket.close()
      await device.close()
    }
  },
  /** The code and message of the error with which `openTun` fails, twice with the same name. */
  async openTwice(): Promise<string> {
    const first = await openTun({ name: 'twice0' })
    try {
      const second = await openTun({ name: 'twice0' })
      await second.close()
      return 'no error'
    } catch (error) {
      return error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : String(error)
    } finally {
      await first.close()
    }
  },
  /** Does a child process keep the device alive? */
  async inherited(): Promise<boolean> {
    const device = await openTun({ name: 'child0' })
    device.start(
      () => {},
      () => {}
    )
    const child = spawn('sleep', ['5'])
    await once(child, 'spawn')
    await device.close()
    try {
      execFileSync('ip', ['link', 'show', 'dev', 'child0'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    } finally {
      child.kill()
    }
  }
})
