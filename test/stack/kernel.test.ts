// The stack against the real kernel's TCP, UDP and ICMP, in a network namespace of its own.
import test from 'ava'
import { CLUSTER } from '../_support/laptop.ts'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'
import { PORT } from './_ports.ts'

interface Status {
  stats: { malformed: number; reassembled: number; refusedByDevice: number }
  size: { connections: number; flows: number }
  lost: string
  rssMiB: number
}

const reason = whyNoNamespace()
if (reason === undefined) {
  for (const offload of [true, false]) tests(offload)
} else {
  test(`skipped: ${reason}`, t => {
    t.log(`the stack is not tested against the kernel: ${reason}`)
    t.pass()
  })
}

/** Wait until it is so; false after a while. */
async function eventually(what: () => Promise<boolean>): Promise<boolean> {
  for (const until = performance.now() + 5000; performance.now() < until; ) {
    if (await what()) return true
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return false
}

function tests(offload: boolean): void {
  const title = offload ? 'with offload' : 'without offload'
  let namespace: Namespace
  let server: Worker
  let client: Worker
  let device: { name: string; mtu: number; offload: boolean }
  const status = (): Promise<Status> => server.call<Status>('status')

  test.before(async () => {
    namespace = new Namespace()
    server = namespace.fork(new URL('./_server.ts', import.meta.url))
    client = namespace.fork(new URL('./_client.ts', import.meta.url))
    device = await server.call('start', { name: 'test0', offload })
  })
  test.after.always(() => namespace.remove())

  test.serial(`${title}: the device says what it can`, t => {
    t.deepEqual(device, { name: 'test0', mtu: offload ? 1500 : 65_520, offload })
  })

  for (const family of [4, 6] as const) {
    const host = CLUSTER[family]
    const named = `${title}, IPv${family}`

    test.serial(`${named}: 64 flows at once, exact bytes both ways`, async t => {
      t.is(await client.call('echoes', host, PORT.echo, 64, 300_000), 64)
      t.is(await client.call('echoes', host, PORT.echo, 2, 20_000_000), 2)
      t.is((await status()).stats.malformed, 0)
    })

    test.serial(`${named}: half-close, the client ends first`, async t => {
      const { answer, expected } = await client.call<{ answer: string; expected: string }>(
        'answerAtEnd',
        host,
        PORT.answersAtEnd,
        500_000
      )
      t.is(answer, expected)
    })

    test.serial(`${named}: half-close, the far side ends first`, async t => {
      const { greeting, expected } = await client.call<{ greeting: string; expected: string }>(
        'sendAfterEnd',
        host,
        PORT.endsFirst,
        500_000
      )
      t.is(greeting, 'goodbye')
      t.true(await eventually(async () => (await server.call<string[]>('endings')).includes(expected)))
    })

    test.serial(`${named}: RST both ways`, async t => {
      t.is(await client.call('ending', host, PORT.resets), 'ECONNRESET')
      await server.call('endings')
      await client.call('reset', host, PORT.resetByClient)
      t.true(await eventually(async () => (await server.call<string[]>('endings')).includes('ECONNRESET')))
    })

    test.serial(`${named}: refused, unreachable, silence`, async t => {
      t.is(await client.call('connect', host, PORT.refused, 3000), 'ECONNREFUSED')
      t.is(await client.call('connect', host, PORT.unreachable, 3000), 'EHOSTUNREACH')
      t.is(await client.call('connect', host, PORT.silent, 300), 'timeout')
      t.is(await client.call('udpError', host, PORT.unreachable), 'ECONNREFUSED')
    })

    test.serial(`${named}: a SYN is answered when the far side has answered`, async t => {
      const early = client.call('connect', host, PORT.slow, 1500)
      t.true(await eventually(async () => (await server.call<number>('pending')) === 1))
      // The kernel has sent its SYN once more by then.
      await new Promise(resolve => setTimeout(resolve, 1150))
      t.is(await server.call('pending'), 1, 'the repeated SYN is absorbed')
      await server.call('answer')
      t.is(await early, 'connected')
    })

    test.serial(`${named}: a side that never reads costs a bounded amount`, async t => {
      const before = (await status()).rssMiB
      const written = await client.call<number[]>('stuff', host, PORT.unread, 32, 500)
      const after = (await status()).rssMiB
      // The window, and what the client's kernel holds itself (its send buffer, 4 MiB at most).
      t.true(Math.max(...written) < 6_000_000, `${Math.max(...written)} bytes were taken from one client`)
      t.true(after - before < 48, `32 of them cost ${(after - before).toFixed(1)} MiB`)
      await server.call('release')
    })

    test.serial(`${named}: datagrams keep their boundaries, up to the longest`, async t => {
      const lengths = [1, 0, 1400, 1472, 1473, 5000, 60_000, 1, 65_507 - 24]
      t.deepEqual(await client.call('datagrams', host, PORT.echo, lengths, 3000), lengths)
      if (offload) t.true((await status()).stats.reassembled > 0)
      const many = Array.from({ length: 500 }, (_, i) => 100 + i)
      t.deepEqual(await client.call('datagrams', host, PORT.echo, many, 3000), many)
    })

    test.serial(`${named}: ping is answered for an address that is there, and for no other`, async t => {
      t.true(await client.call('ping', host, 56, 2000))
      t.true(await client.call('ping', host, 20_000, 2000), 'in fragments')
      t.false(await client.call('ping', `${host.slice(0, -1)}8`, 56, 200))
    })
  }

  test.serial(`${title}: 1,000 connects at once, none lost`, async t => {
    const { done, connectedMs } = await client.call<{ done: number; connectedMs: number }>(
      'burst',
      CLUSTER[4],
      PORT.echo,
      1000
    )
    t.is(done, 1000)
    t.log(`the last was connected after ${connectedMs.toFixed(0)} ms`)
  })

  test.serial(`${title}: nothing is left behind`, async t => {
    t.true(await eventually(async () => (await status()).size.connections === 0))
    const { stats } = await status()
    t.is(stats.malformed, 0)
    t.is(stats.refusedByDevice, 0)
  })

  test.serial(`${title}: the device is removed from outside`, async t => {
    namespace.exec('ip', 'link', 'del', 'dev', device.name)
    t.true(await eventually(async () => (await status()).lost === `the TUN device ${device.name} is gone`))
    await server.call('close')
  })
}
