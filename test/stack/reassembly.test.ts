import test from 'ava'
import { Reassembly, type WholePacket } from '../../lib/stack/reassembly.ts'
import { newStats } from '../../lib/stack/stats.ts'
import { emitIp, IpView, UDP } from '../../lib/wire/ip.ts'
import { emitIpv4Fragment } from '../../lib/wire/ipv4.ts'
import { emitIpv6, emitIpv6Fragment, IPV6_FRAGMENT } from '../../lib/wire/ipv6.ts'
import { addresses, ENDS, ENDS6, type Ends } from '../_support/packets.ts'

const DATA = new Uint8Array(4000).map((_, i) => i * 31)

/** The fragment of `DATA[from, to)`. */
function fragment(ends: Ends, from: number, to: number, { id = 7, more = to < DATA.length } = {}): IpView {
  const both = addresses(ends)
  const v6 = both.length === 32
  const headers = v6 ? 48 : 20
  const bytes = new Uint8Array(headers + to - from)
  if (v6) {
    emitIpv6(bytes, 0, both, IPV6_FRAGMENT, bytes.length)
    emitIpv6Fragment(bytes, 40, UDP, id, from, more)
  } else {
    emitIp(bytes, 0, both, UDP, bytes.length)
    emitIpv4Fragment(bytes, 0, bytes.length, id, from, more)
  }
  bytes.set(DATA.subarray(from, to), headers)
  const view = new IpView()
  if (!view.wrap(bytes, 0, bytes.length) || !view.fragmented) throw new Error('no fragment')
  return view
}

function whole({ bytes, start, end }: WholePacket): { protocol: number; data: Uint8Array; destination: string } {
  const view = new IpView()
  if (!view.wrap(bytes, start, end)) throw new Error('no packet')
  return { protocol: view.protocol, data: bytes.slice(view.payload, view.end), destination: view.destination }
}

const PIECES: readonly (readonly [number, number])[] = [
  [0, 1000],
  [1000, 2000],
  [2000, 2008],
  [2008, 4000]
]

for (const ends of [ENDS, ENDS6]) {
  const named = ends === ENDS ? 'IPv4' : 'IPv6'

  test(`${named}: fragments in every order, with duplicates`, t => {
    for (const order of permutations([0, 1, 2, 3])) {
      const stats = newStats()
      const reassembly = new Reassembly(stats)
      const arrive = (i: number) => reassembly.arrive(fragment(ends, ...PIECES[i]!), 0)
      for (const i of order.slice(0, 3)) {
        t.is(arrive(i), undefined)
        t.is(arrive(i), undefined, 'once more')
      }
      const packet = arrive(order[3]!)
      t.deepEqual(whole(packet!), { protocol: UDP, data: DATA, destination: ends.destination })
      t.is(stats.reassembled, 1)
      t.is(reassembly.deadline, Infinity)
    }
  })

  test(`${named}: overlaps, contradicting ends and too much are given up`, t => {
    const cases: IpView[][] = [
      [fragment(ends, 0, 1000), fragment(ends, 992, 2000)],
      [fragment(ends, 1000, 2000), fragment(ends, 0, 1008)],
      [fragment(ends, 0, 1000), fragment(ends, 2000, 3000), fragment(ends, 800, 2800)],
      [fragment(ends, 2000, 3000, { more: false }), fragment(ends, 8, 2000, { more: false })],
      [fragment(ends, 2000, 3000, { more: false }), fragment(ends, 3000, 4000)],
      [fragment(ends, 2000, 3000), fragment(ends, 1000, 1500, { more: false })],
      [fragment(ends, 0, 1001, { more: true })]
    ]
    for (const [i, pieces] of cases.entries()) {
      const stats = newStats()
      const reassembly = new Reassembly(stats)
      for (const piece of pieces) t.is(reassembly.arrive(piece, 0), undefined)
      t.is(stats.fragmentsDropped, 1, `case ${i}`)
      t.is(reassembly.deadline, Infinity)
    }
  })

  test(`${named}: different identifications do not mix`, t => {
    const reassembly = new Reassembly(newStats())
    t.is(reassembly.arrive(fragment(ends, 0, 2000, { id: 1 }), 0), undefined)
    t.is(reassembly.arrive(fragment(ends, 2000, 4000, { id: 2 }), 0), undefined)
    t.deepEqual(whole(reassembly.arrive(fragment(ends, 2000, 4000, { id: 1 }), 0)!).data, DATA)
  })
}

test('what does not come in time is given up, and so is the oldest of too many', t => {
  const stats = newStats()
  const reassembly = new Reassembly(stats)
  reassembly.arrive(fragment(ENDS, 0, 2000), 100)
  t.is(reassembly.deadline, 15_100)
  reassembly.timeout(15_099)
  t.is(stats.fragmentsDropped, 0)
  reassembly.timeout(15_100)
  t.is(stats.fragmentsDropped, 1)
  for (let id = 0; id < 65; id++) reassembly.arrive(fragment(ENDS, 0, 2000, { id }), 0)
  t.is(stats.fragmentsDropped, 2)
  t.is(reassembly.arrive(fragment(ENDS, 2000, 4000, { id: 0 }), 0), undefined, 'the oldest is gone')
})

function permutations(list: number[]): number[][] {
  if (list.length < 2) return [list]
  return list.flatMap((one, i) => permutations(list.toSpliced(i, 1)).map(rest => [one, ...rest]))
}
