import test from 'ava'
import { reverseZones } from '../../lib/host/reverse-zones.ts'

const ROWS: [cidr: string, ...zones: string[]][] = [
  ['10.96.0.0/16', '96.10.in-addr.arpa'],
  ['10.96.0.0/15', '96.10.in-addr.arpa', '97.10.in-addr.arpa'],
  ['10.244.1.0/24', '1.244.10.in-addr.arpa'],
  ['10.96.0.7', '7.0.96.10.in-addr.arpa'],
  ['10.0.0.0/8', '10.in-addr.arpa'],
  ['0.0.0.0/0', 'in-addr.arpa'],
  ['fd00:10:96::/112', '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa'],
  ['fd00::/15', '0.0.d.f.ip6.arpa', '1.0.d.f.ip6.arpa'],
  ['nonsense']
]

for (const [cidr, ...zones] of ROWS) {
  test(`${cidr}: ${zones.length} zones`, t => {
    t.deepEqual(reverseZones(cidr), zones)
  })
}

test('a /9 is 128 zones', t => {
  const zones = reverseZones('10.128.0.0/9')
  t.is(zones.length, 128)
  t.is(zones[127], '255.10.in-addr.arpa')
})
