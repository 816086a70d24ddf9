import test from 'ava'
import fc from 'fast-check'
import { around, type Cidr, collapse, contains, formatCidr, parseCidr } from '../../../lib/kube/network/cidr.ts'

const cidr = (text: string): Cidr => parseCidr(text)!
const texts = (cidrs: Cidr[]) => cidrs.map(formatCidr)

test('ranges are read with their host bits cleared, in one spelling', t => {
  t.is(formatCidr(cidr('10.244.1.9/24')), '10.244.1.0/24')
  t.is(formatCidr(cidr('10.244.1.9')), '10.244.1.9/32')
  t.is(formatCidr(cidr('FD00:0:0::7/64')), 'fd00::/64')
  t.is(formatCidr(cidr('fd00::0007')), 'fd00::7/128')
  for (const text of ['', 'x', '10.0.0.0/33', '10.0.0', 'fe80::1%eth0', 'fd00::/129', 'name.example'])
    t.is(parseCidr(text), undefined, text)
})

test('contains: equal, inside, outside, other family', t => {
  t.true(contains(cidr('10.0.0.0/8'), cidr('10.0.0.0/8')))
  t.true(contains(cidr('10.0.0.0/8'), cidr('10.255.255.255')))
  t.true(contains(cidr('0.0.0.0/0'), cidr('10.0.0.0/8')))
  t.false(contains(cidr('10.0.0.0/9'), cidr('10.0.0.0/8')))
  t.false(contains(cidr('10.0.0.0/9'), cidr('10.128.0.0/9')))
  t.false(contains(cidr('::/0'), cidr('10.0.0.0/8')))
})

test('around', t => {
  t.is(formatCidr(around(cidr('10.244.1.9'), 24)), '10.244.1.0/24')
  t.is(formatCidr(around(cidr('fd00:1:2:3:4::5'), 64)), 'fd00:1:2:3::/64')
})

test('collapse joins neighbours, drops the contained, keeps gaps', t => {
  t.deepEqual(texts(collapse(['10.244.1.0/24', '10.244.0.0/24', '10.244.2.0/24', '10.244.3.0/24'].map(cidr))), [
    '10.244.0.0/22'
  ])
  t.deepEqual(texts(collapse(['10.244.1.0/24', '10.244.2.0/24'].map(cidr))), ['10.244.1.0/24', '10.244.2.0/24'])
  t.deepEqual(texts(collapse(['10.0.0.0/8', '10.1.0.0/16', '10.1.0.0/16', 'fd00::/64', 'fd00::1'].map(cidr))), [
    '10.0.0.0/8',
    'fd00::/64'
  ])
  t.deepEqual(texts(collapse(['0.0.0.0/1', '128.0.0.0/1'].map(cidr))), ['0.0.0.0/0'])
})

test('collapse keeps exactly the same addresses and no two ranges that could be one', t => {
  // Small networks inside one /24, so that they meet often.
  const network = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([host, prefix]) => cidr(`192.0.2.${host}/${prefix}`))
  const hosts = Array.from({ length: 256 }, (_, host) => cidr(`192.0.2.${host}`))
  const property = fc.property(fc.array(network, { maxLength: 12 }), networks => {
    const joined = collapse(networks)
    for (const address of hosts) {
      const holders = joined.filter(n => contains(n, address)).length
      if (holders !== (networks.some(n => contains(n, address)) ? 1 : 0)) return false
    }
    return !joined.some((a, i) =>
      joined.some(
        (b, j) =>
          i !== j &&
          a.prefix === b.prefix &&
          formatCidr(around(a, a.prefix - 1)) === formatCidr(around(b, b.prefix - 1))
      )
    )
  })
  fc.assert(property, { numRuns: 100 })
  t.pass()
})
