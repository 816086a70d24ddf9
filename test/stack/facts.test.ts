import test from 'ava'
import type { FlowFacts } from '../../lib/stack/facts.ts'
import { IDLE_MS } from '../../lib/udp/flows.ts'
import { ACK, RST, SYN } from '../../lib/wire/tcp.ts'
import { datagram, ENDS, ENDS6, segment } from '../_support/packets.ts'
import { IRS, ISS, rig } from './_stack.ts'

const TEXT = new Uint8Array(100)

test('what a connection has carried is told while it lives and when it is over', async t => {
  const { device, lines, open, stack } = rig(t)
  const ended: FlowFacts[] = []
  stack.onEnded = flow => ended.push(flow)
  const connection = await open()
  connection.resume()
  device.inject(segment(ENDS, ACK, IRS + 1, ISS + 1, { text: TEXT }))
  connection.write(Buffer.alloc(40))
  await lines()
  device.inject(segment(ENDS, ACK, IRS + 101, ISS + 41))
  await lines()
  const [flow] = stack.flows()
  t.like(flow, { network: 'tcp', ...ENDS, sentBytes: 100, receivedBytes: 40, state: 'ESTABLISHED', retransmits: 0 })
  t.deepEqual(ended, [])
  device.inject(segment(ENDS, RST, IRS + 101, 0))
  await lines()
  t.deepEqual(stack.flows(), [])
  t.like(ended[0], { ...ENDS, sentBytes: 100, receivedBytes: 40, state: 'CLOSED' })
})

test('a SYN that is not answered yet is told, too, and a refused one is over', async t => {
  const { device, pending, stack } = rig(t)
  const ended: FlowFacts[] = []
  stack.onEnded = flow => ended.push(flow)
  device.inject(segment(ENDS6, SYN, IRS, 0))
  t.like(stack.flows()[0], { ...ENDS6, sentBytes: 0, state: 'DIALLING' })
  pending[0]!.refuse()
  t.deepEqual(
    ended.map(({ state }) => state),
    ['DIALLING']
  )
})

test('a UDP flow counts datagrams both ways until it is closed or idle', t => {
  const { clock, device, flows, stack } = rig(t)
  const ended: FlowFacts[] = []
  stack.onEnded = flow => ended.push(flow)
  device.inject(datagram(ENDS, TEXT))
  flows[0]!.onDatagram = () => {}
  device.inject({ packet: datagram(ENDS, new Uint8Array(2500)), segmentSize: 1000 })
  flows[0]!.send(new Uint8Array(7))
  t.like(stack.flows()[0], { network: 'udp', ...ENDS, sentBytes: 2600, receivedBytes: 7, state: 'OPEN' })
  flows[0]!.close()
  flows[0]!.close()
  device.inject(datagram(ENDS, TEXT))
  clock.advance(IDLE_MS + 1)
  t.deepEqual(
    ended.map(({ sentBytes }) => sentBytes),
    [2600, 100]
  )
  stack.onEnded = undefined
  device.inject(datagram(ENDS, TEXT))
  flows.at(-1)!.close()
  t.is(ended.length, 2)
})
