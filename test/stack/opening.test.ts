import test from 'ava'
import { MAX_CONNECTIONS, MAX_PENDING } from '../../lib/stack/segments.ts'
import { ACK, FIN, RST, SYN } from '../../lib/wire/tcp.ts'
import { ENDS, ENDS6, segment } from '../_support/packets.ts'
import { IRS, ISS, rig } from './_stack.ts'

const TO = '10.96.0.7.80 > 198.18.0.1.40000:'

test('a SYN is answered when it is accepted, and not before', async t => {
  const { device, pending, lines } = rig(t)
  device.inject(segment(ENDS, SYN, IRS, 0))
  device.inject(segment(ENDS, SYN, IRS, 0))
  t.deepEqual(await lines(), [])
  t.is(pending.length, 1, 'the SYN once more is the same connection')
  const { source, sourcePort, destination, destinationPort } = pending[0]!
  t.deepEqual({ source, sourcePort, destination, destinationPort }, ENDS)
  pending[0]!.accept()
  t.deepEqual(await lines(), [
    `IP ${TO} Flags [S.], seq ${ISS}, ack ${IRS + 1}, win 65535, options [mss 1460], length 0`
  ])
})

test('refuse is RST|ACK, unreachable is ICMP, drop is silence; the first decision counts', async t => {
  for (const ends of [ENDS, ENDS6]) {
    const { device, pending, lines, stack } = rig(t)
    const [ip, icmp, code] = ends === ENDS ? ['IP', 'ICMP', 1] : ['IP6', 'ICMP6', 3]
    const answer = `${ip} ${ends.destination}.80 > ${ends.source}.40000:`
    device.inject(segment(ends, SYN, 77, 0))
    pending[0]!.refuse()
    pending[0]!.unreachable()
    pending[0]!.drop()
    t.deepEqual(await lines(), [`${answer} Flags [R.], seq 0, ack 78, win 0, length 0`])
    device.inject(segment(ends, SYN, 78, 0))
    pending[1]!.unreachable()
    pending[1]!.refuse()
    const length = ends === ENDS ? 36 : 56
    t.deepEqual(await lines(), [
      `${ip} ${ends.destination} > ${ends.source}: ${icmp} unreachable, code ${code}, length ${length}`
    ])
    device.inject(segment(ends, SYN, 79, 0))
    pending[2]!.drop()
    pending[2]!.refuse()
    t.deepEqual(await lines(), [])
    t.is(stack.size.connections, 0)
  }
})

test('onGone: the laptop resets, begins anew, or waits too long', async t => {
  const { device, pending, lines, clock, stack } = rig(t)
  let gone = 0
  const note = (i: number): void => {
    pending[i]!.onGone = () => {
      gone++
    }
  }
  device.inject(segment(ENDS, SYN, 10, 0))
  note(0)
  device.inject(segment(ENDS, RST, 99, 0))
  t.is(gone, 0, 'an RST with a wrong number says nothing')
  device.inject(segment(ENDS, RST, 11, 0))
  t.is(gone, 1)

  device.inject(segment(ENDS, SYN, 20, 0))
  note(1)
  device.inject(segment(ENDS, SYN, 30, 0))
  t.is(gone, 2)
  t.is(pending.length, 3)
  note(2)

  clock.advance(129_000)
  t.is(gone, 2)
  clock.advance(2000)
  t.is(gone, 3)
  t.is(stack.size.connections, 0)

  const late = pending[2]!.accept()
  t.true(late.destroyed, 'accepted too late')
  t.deepEqual(await lines(), [])
})

test('segments of no connection are answered with RST, RSTs are not', async t => {
  const { device, lines, stack } = rig(t)
  device.inject(segment(ENDS, ACK, 5, 500))
  device.inject(segment(ENDS, FIN, 5, 0, { text: new Uint8Array(3) }))
  device.inject(segment(ENDS, SYN | ACK, 5, 600))
  device.inject(segment(ENDS, RST, 5, 0))
  device.inject(segment({ ...ENDS, destination: '224.0.0.1' }, ACK, 5, 500))
  device.inject(segment({ ...ENDS6, destination: 'ff02::1' }, SYN, 5, 0))
  t.deepEqual(await lines(), [
    `IP ${TO} Flags [R], seq 500, win 0, length 0`,
    `IP ${TO} Flags [R.], seq 0, ack 9, win 0, length 0`,
    `IP ${TO} Flags [R], seq 600, win 0, length 0`
  ])
  t.is(stack.stats.strayResets, 3)
  t.is(stack.size.connections, 0)
})

test('pending connections and connections are bounded; the SYNs beyond are dropped', async t => {
  const { device, pending, stack, lines } = rig(t)
  const syn = (n: number): void => {
    const ends = { ...ENDS, sourcePort: 1024 + (n % 60_000), destinationPort: 80 + Math.floor(n / 60_000) }
    device.inject(segment(ends, SYN, IRS, 0))
  }
  for (let n = 0; n < MAX_PENDING + 10; n++) syn(n)
  t.is(pending.length, MAX_PENDING)
  t.is(stack.stats.connectionsDropped, 10)
  for (let n = MAX_PENDING; n < MAX_CONNECTIONS + 10; n++) {
    pending.at(-1)!.accept()
    syn(n)
  }
  t.is(stack.size.connections, MAX_CONNECTIONS)
  await lines()
  await stack.close()
  t.is(stack.size.connections, 0)
})

test('a new SYN on a 4-tuple in TIME-WAIT begins a new connection; the old SYN does not', async t => {
  const { device, pending, lines, open, stack, clock } = rig(t)
  const connection = await open()
  connection.resume()
  connection.end()
  await lines()
  device.inject(segment(ENDS, FIN | ACK, IRS + 1, ISS + 2))
  await lines()
  t.is(stack.size.connections, 1, 'TIME-WAIT')
  device.inject(segment(ENDS, SYN, IRS, 0))
  await lines()
  t.is(pending.length, 1)
  device.inject(segment(ENDS, SYN, IRS + 100_000, 0))
  t.is(pending.length, 2)
  pending[1]!.accept()
  t.regex((await lines()).join(), /Flags \[S\.\], seq 1000, ack 100001/)
  clock.advance(200_000)
  t.is(stack.size.connections, 0, 'nobody answered the SYN|ACK')
})

test('close: RST to connections, onGone to pending ones, no timer is left', async t => {
  const { device, pending, lines, open, stack, clock } = rig(t)
  const connection = await open()
  const errors: string[] = []
  connection.on('error', error => errors.push(error.message))
  device.inject(segment({ ...ENDS, sourcePort: 5 }, SYN, IRS, 0))
  let gone = false
  pending[1]!.onGone = () => {
    gone = true
  }
  await stack.close()
  await stack.close()
  t.true(gone)
  t.true(connection.destroyed)
  t.deepEqual(await lines(), [`IP ${TO} Flags [R.], seq ${ISS + 1}, ack ${IRS + 1}, win 0, length 0`])
  t.is(errors.length, 1)
  t.is(clock.timers, 0)
  device.inject(segment(ENDS, SYN, IRS, 0))
  t.deepEqual(await lines(), [], 'a closed stack reads nothing')
})
