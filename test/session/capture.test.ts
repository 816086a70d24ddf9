// Which packets a capture keeps, and what it writes about them.
import test from 'ava'
import fc from 'fast-check'
import { startCapture } from '../../lib/session/capture.ts'
import { type PacketFacts, parseFilter } from '../../lib/session/capture-filter.ts'
import type { PacketSeen } from '../../lib/tun/tracer.ts'
import { datagram, ENDS, ENDS6 } from '../_support/packets.ts'

const NAMES: Record<string, string> = { '10.96.0.7': 'web.demo.svc.cluster.local' }
const nameOf = (address: string): string | undefined => NAMES[address]

const packet = (more: Partial<PacketFacts> = {}): PacketFacts => ({
  network: 'tcp',
  source: '198.18.0.1',
  destination: '10.96.0.7',
  sourcePort: 40_000,
  destinationPort: 80,
  ...more
})

test('filters', t => {
  const rows: [string, boolean][] = [
    ['', true],
    ['tcp', true],
    ['udp', false],
    ['port 80', true],
    ['tcp port 80', true],
    ['udp port 80', false],
    ['src port 80', false],
    ['dst port 80', true],
    ['host 10.96.0.7', true],
    ['host web', true],
    ['host web.demo', true],
    ['host WEB.demo.svc.cluster.local', true],
    ['host we', false],
    ['src host web', false],
    ['dst web', true],
    ['net 10.96.0.0/16', true],
    ['src net 10.96.0.0/16', false],
    ['not port 53', true],
    ['not (tcp or udp)', false],
    ['port 53 or host web and not udp', true],
    ['(port 53 or host web) and udp', false],
    ['!udp && (tcp || icmp)', true]
  ]
  for (const [text, wanted] of rows) t.is(parseFilter(text, nameOf)(packet()), wanted, text)
})

test('what cannot be read is refused with a reason', t => {
  for (const text of [
    'foo',
    'port',
    'port http',
    'host',
    'tcp and',
    '(tcp',
    'tcp)',
    'net nowhere',
    'not',
    'a '.repeat(200)
  ])
    t.throws(() => parseFilter(text, nameOf), { message: /^the filter ".*" cannot be read: / }, text)
})

test('no text breaks the parser', t => {
  const word = fc.constantFrom(
    'tcp',
    'port',
    '80',
    'not',
    'and',
    'or',
    '(',
    ')',
    'host',
    'web',
    'src',
    'net',
    '10.0.0.0/8',
    ''
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), words => {
      try {
        return typeof parseFilter(words.join(' '), nameOf)(packet()) === 'boolean'
      } catch (error) {
        return (error as { code?: string }).code === 'KT_USAGE'
      }
    })
  )
  t.pass()
})

test('a packet is written with its name, the name once, until it is stopped', t => {
  const listeners = new Set<PacketSeen>()
  const blocks: Buffer[] = []
  const write = (bytes: Uint8Array): boolean => blocks.push(Buffer.from(bytes)) > 0
  const stop = startCapture({ device: 'kt0', listeners, nameOf }, 'udp', write)
  const show = (bytes: Uint8Array): void => {
    for (const seen of listeners) seen('in', bytes, 0, bytes.length)
  }
  show(datagram(ENDS, new Uint8Array(3)))
  show(datagram(ENDS, new Uint8Array(3)))
  show(datagram(ENDS6, new Uint8Array(3)))
  show(new Uint8Array(5))
  const types = blocks.map(block => block.readUInt32BE(0))
  t.deepEqual(types, [0x0a0d0d0a, 4, 6, 6, 6])
  t.true(blocks[2]?.includes('web.demo.svc.cluster.local:80'))
  t.false(blocks[4]?.includes('web'))
  stop()
  t.is(listeners.size, 0)
})
