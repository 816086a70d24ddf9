import test from 'ava'
import { overlap, parseRange } from '../../lib/host/intervals.ts'
import { isKtDevice, isKtServer, SLOTS, slotOf } from '../../lib/host/slots.ts'

const ALL = Array.from({ length: SLOTS }, (_, number) => slotOf(number))

test('the first place is that of a single session', t => {
  const { device, addresses, resolver } = slotOf(0)
  t.is(device, 'kt0')
  t.deepEqual(addresses, ['198.18.0.1/30', 'fd6b:7400::1/126'])
  t.deepEqual(resolver, ['198.18.0.2', 'fd6b:7400::2'])
})

test('no two places have an address in common, and none has one of its pool', t => {
  const ranges = ALL.flatMap(({ addresses, pools }) => [...addresses, ...pools].map(text => parseRange(text)!))
  for (const [i, one] of ranges.entries())
    t.false(
      ranges.some((other, j) => i !== j && overlap(one, other)),
      String(i)
    )
})

test('the resolver is on the link of the device, and beside its own address', t => {
  for (const { addresses, resolver } of ALL)
    for (const [i, address] of addresses.entries()) {
      t.true(overlap(parseRange(address)!, parseRange(resolver[i]!)!))
      t.not(address.split('/')[0], resolver[i])
    }
})

test('devices and resolvers of sessions are told from others', t => {
  for (const { device, resolver } of ALL) t.true(isKtDevice(device) && isKtServer(resolver[0]))
  for (const device of ['kt', 'ktk1-host', 'eth0', 'kt100', 'xkt0']) t.false(isKtDevice(device), device)
  for (const server of ['198.18.0.1', '198.18.0.3', '198.18.0.62', '198.18.1.2', '10.0.0.2', '::1', ''])
    t.false(isKtServer(server), server)
})
