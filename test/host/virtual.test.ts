// Virtual ranges: each address has one, and only one address has it.
import test from 'ava'
import fc from 'fast-check'
import { format, overlap, parseRange } from '../../lib/host/intervals.ts'
import { slotOf } from '../../lib/host/slots.ts'
import { VirtualRanges } from '../../lib/host/virtual.ts'

const { pools } = slotOf(1)
const virtual = (): VirtualRanges => new VirtualRanges(pools)

test('a range keeps the last bits of its addresses', t => {
  const ranges = virtual()
  t.is(ranges.assign('10.96.0.0/12', []), '241.96.0.0/12')
  t.is(ranges.assign('fd10:96::/112', []), 'fd6b:7501::/112')
  t.is(ranges.toVirtual('10.96.0.7'), '241.96.0.7')
  t.is(ranges.toReal('241.96.0.7'), '10.96.0.7')
  t.is(ranges.toVirtual('fd10:96::a'), 'fd6b:7501::a')
  t.is(ranges.toReal('fd6b:7501::a'), 'fd10:96::a')
})

test('what has no virtual address is itself', t => {
  const ranges = virtual()
  for (const address of ['10.96.0.7', '241.96.0.7', '::1', 'nonsense', '']) {
    t.is(ranges.toVirtual(address), address)
    t.is(ranges.toReal(address), address)
  }
  ranges.assign('10.96.0.0/16', [])
  for (const address of ['10.97.0.7', '241.97.0.7', '::1', 'nonsense', '']) {
    t.is(ranges.toVirtual(address), address)
    t.is(ranges.toReal(address), address)
  }
})

test('it is the same whenever it is asked for, also for a part', t => {
  const ranges = virtual()
  t.is(ranges.assign('10.96.0.0/16', []), '241.96.0.0/16')
  t.is(ranges.assign('10.96.0.0/16', ['241.0.0.0/8']), '241.96.0.0/16')
  t.is(ranges.assign('10.96.7.0/24', ['241.0.0.0/8']), '241.96.7.0/24')
  t.true(ranges.touches('10.0.0.0/8'))
  t.false(ranges.touches('10.97.0.0/16'))
})

test('a range around one that is known already has the same addresses for it', t => {
  const ranges = virtual()
  ranges.assign('10.244.1.0/24', [])
  t.is(ranges.assign('10.244.0.0/22', []), '241.244.0.0/22')
  t.is(ranges.toVirtual('10.244.1.5'), '241.244.1.5')
  t.is(ranges.toVirtual('10.244.2.5'), '241.244.2.5')
})

test('where its place is taken it gets another one, of the same size', t => {
  const ranges = virtual()
  t.is(ranges.assign('10.96.0.0/16', ['241.96.4.0/24', '241.0.0.0/15']), '241.2.0.0/16')
  t.is(ranges.assign('172.96.0.0/16', ['241.96.4.0/24']), '241.0.0.0/16')
  t.is(ranges.toVirtual('10.96.0.7'), '241.2.0.7')
  t.is(ranges.toVirtual('172.96.0.7'), '241.0.0.7')
})

test('no room, and nonsense', t => {
  const ranges = virtual()
  t.is(ranges.assign('10.0.0.0/7', []), undefined)
  t.is(ranges.assign('10.0.0.0/8', ['241.7.0.0/16']), undefined)
  t.is(ranges.assign('nonsense', []), undefined)
  t.is(new VirtualRanges([]).assign('10.0.0.0/16', []), undefined)
})

/** A range of IPv4 anywhere, from /8 to /32, its host bits zero. */
const cidr = fc
  .record({ address: fc.nat({ max: 0xdfffffff }), prefix: fc.integer({ min: 8, max: 32 }) })
  .map(({ address, prefix }) => {
    const size = 2n ** BigInt(32 - prefix)
    return `${format(4, (BigInt(address) / size) * size)}/${prefix}`
  })

test('whatever ranges there are: there and back again is the same address, and nothing is taken twice', t => {
  const lists = fc.record({
    cidrs: fc.array(cidr, { minLength: 1, maxLength: 8 }),
    taken: fc.array(cidr, { maxLength: 4 }),
    offset: fc.nat()
  })
  const property = fc.property(lists, ({ cidrs, taken, offset }) => {
    const ranges = virtual()
    const obstacles = [...taken, '241.64.0.0/10']
    const assigned = cidrs.map(each => ({ real: parseRange(each)!, text: ranges.assign(each, obstacles) }))
    const owners = new Map<string, string>()
    return assigned.every(({ real, text }) => {
      if (text === undefined) return true
      const there = parseRange(text)!
      const size = real.last - real.first
      const address = format(4, real.first + (BigInt(offset) % (size + 1n)))
      const moved = ranges.toVirtual(address)
      const owner = owners.get(moved) ?? address
      owners.set(moved, address)
      return (
        there.last - there.first === size &&
        !obstacles.some(each => overlap(parseRange(each)!, there)) &&
        overlap(parseRange('241.0.0.0/8')!, there) &&
        ranges.toReal(moved) === address &&
        owner === address
      )
    })
  })
  t.notThrows(() => fc.assert(property))
})
