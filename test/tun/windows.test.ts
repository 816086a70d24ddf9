// The suite of every device, on rings and events as wintun.h describes them. What only Windows can show is not shown here.
import test from 'ava'
import { openWintun } from '../../lib/tun/windows.ts'
import { IpView } from '../../lib/wire/ip.ts'
import { UDP_HEADER_LENGTH } from '../../lib/wire/udp.ts'
import { datagram, ENDS } from '../_support/packets.ts'
import { DEVICE_CASES } from '../compliance/device.ts'
import { WintunModel } from './_wintun.ts'

/** Bounded, because what never comes is a failure. */
async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !isSo(); await new Promise(resolve => setImmediate(resolve)))
    if (performance.now() > end) throw new Error('nothing came in time')
}

const COMPLETE = { checksumStart: 0, checksumOffset: 0, segmentSize: 0, headerLength: 0 }

for (const [name, run] of Object.entries(DEVICE_CASES)) {
  test(`Wintun: ${name}`, async t => {
    const waiting: ((payload: Uint8Array) => void)[] = []
    const wintun = new WintunModel({
      sent(packet) {
        const ip = new IpView()
        if (ip.wrap(packet, 0, packet.length)) waiting.shift()?.(packet.slice(ip.payload + UDP_HEADER_LENGTH))
      }
    })
    const device = openWintun(wintun, 'kt0')
    await t.notThrowsAsync(
      run({
        device,
        send: (payload, ends) => wintun.inject(datagram(ends, payload)),
        receive: () => new Promise(resolve => waiting.push(resolve)),
        lose: () => wintun.lose()
      })
    )
    await device.close()
    t.is(wintun.open, 0, 'adapter, session and events are closed')
  })
}

test('Wintun: what is read is released: twenty times what the ring holds arrives, none is dropped', async t => {
  const wintun = new WintunModel({ sent: () => {} })
  const device = openWintun(wintun, 'kt0')
  let packets = 0
  device.start(
    batch => {
      packets += batch.count
    },
    error => t.fail(error.message)
  )
  const packet = datagram(ENDS, new Uint8Array(60_000))
  for (let i = 0; i < 28; i++) {
    for (let j = 0; j < 100; j++) wintun.inject(packet)
    await until(() => packets >= (i + 1) * 100)
  }
  t.is(wintun.dropped, 0)
  await device.close()
})

test('Wintun: a ring that is full drops, and reading goes on', async t => {
  const wintun = new WintunModel({ sent: () => {} })
  const device = openWintun(wintun, 'kt0')
  let packets = 0
  device.start(
    batch => {
      packets += batch.count
    },
    error => t.fail(error.message)
  )
  device.pause()
  const packet = datagram(ENDS, new Uint8Array(60_000))
  for (let i = 0; i < 200; i++) wintun.inject(packet)
  t.true(wintun.dropped > 0)
  device.resume()
  const arrive = 200 - wintun.dropped
  await until(() => packets >= arrive)
  wintun.inject(packet)
  await until(() => packets > arrive)
  t.is(packets, arrive + 1)
  await device.close()
})

test('Wintun: closed in the middle of a batch', async t => {
  const wintun = new WintunModel({ sent: () => {} })
  const device = openWintun(wintun, 'kt0')
  let closed: Promise<void> | undefined
  device.start(
    () => {
      t.is(closed, undefined, 'once')
      closed = device.close()
    },
    error => t.fail(error.message)
  )
  for (let i = 0; i < 1000; i++) wintun.inject(datagram(ENDS, Uint8Array.of(i)))
  await until(() => closed !== undefined)
  await closed
  t.false(device.write(datagram(ENDS, Uint8Array.of(1)), 0, 29, COMPLETE))
  t.is(wintun.open, 0)
})

test('Wintun: refusals are said, and nothing stays open', t => {
  const denied = new WintunModel({ sent: () => {}, refuse: 5 })
  t.throws(() => openWintun(denied, 'kt0'), { code: 'KT_NOT_ROOT' })
  const taken = new WintunModel({ sent: () => {}, refuse: 183 })
  t.throws(() => openWintun(taken, 'kt0'), { code: 'KT_NO_TUN', message: /WintunCreateAdapter, error 183$/ })
  t.is(denied.open + taken.open, 0)
})
