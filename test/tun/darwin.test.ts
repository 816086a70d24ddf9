// The suite of every device, on a kernel that speaks macOS's side of utun. What only a Mac can show is not shown here.
import test from 'ava'
import { openUtun } from '../../lib/tun/darwin.ts'
import { IpView } from '../../lib/wire/ip.ts'
import { UDP_HEADER_LENGTH } from '../../lib/wire/udp.ts'
import { datagram } from '../_support/packets.ts'
import { DEVICE_CASES } from '../compliance/device.ts'
import { EPERM, MacKernel } from './_utun.ts'

function payloadOf(packet: Uint8Array): Uint8Array {
  const ip = new IpView()
  if (!ip.wrap(packet, 0, packet.length)) throw new Error('no packet')
  return packet.slice(ip.payload + UDP_HEADER_LENGTH)
}

for (const [name, run] of Object.entries(DEVICE_CASES)) {
  test(`utun: ${name}`, async t => {
    const kernel = await MacKernel.boot()
    const device = await openUtun(kernel.calls)
    await t.notThrowsAsync(
      run({
        device,
        send: (payload, ends) => kernel.send(datagram(ends, payload)),
        receive: async () => payloadOf(await kernel.receive()),
        lose: () => kernel.lose()
      })
    )
    await device.close()
    t.is(device.name, 'utun7')
    t.deepEqual([...kernel.open], [], 'what was opened is closed')
  })
}

for (const call of ['socket', 'ioctl', 'connect', 'getsockopt', 'fcntl']) {
  test(`utun: ${call} is refused: it is said, and nothing stays open`, async t => {
    const forbidden = await MacKernel.boot({ call, errno: EPERM })
    await t.throwsAsync(openUtun(forbidden.calls), { code: 'KT_NO_TUN', message: 'no right to create a utun device' })
    const broken = await MacKernel.boot({ call, errno: 22 })
    await t.throwsAsync(openUtun(broken.calls), { code: 'KT_NO_TUN', message: /errno 22$/ })
    t.deepEqual([...forbidden.open, ...broken.open], [])
  })
}
