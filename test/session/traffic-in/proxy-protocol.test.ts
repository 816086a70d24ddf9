import test from 'ava'
import { proxyHeader } from '../../../lib/session/traffic-in/proxy-protocol.ts'

test('the header of an IPv4 caller, as in haproxy’s proxy-protocol.txt §2.2', t => {
  const header = proxyHeader({ source: '10.244.1.9', sourcePort: 40_000, destination: '10.244.2.7', port: 8080 })
  t.is(
    Buffer.from(header).toString('hex'),
    ['0d0a0d0a000d0a515549540a', '21', '11', '000c', '0af40109', '0af40207', '9c40', '1f90'].join('')
  )
})

test('the header of an IPv6 caller', t => {
  const header = proxyHeader({ source: 'fd00::9', sourcePort: 1, destination: 'fd00::7', port: 2 })
  t.is(
    Buffer.from(header).toString('hex'),
    `0d0a0d0a000d0a515549540a21210024fd00${'0'.repeat(26)}09fd00${'0'.repeat(26)}0700010002`
  )
})

test('addresses of two families cannot be told: no addresses, no family', t => {
  const header = proxyHeader({ source: 'fd00::9', sourcePort: 1, destination: '10.0.0.1', port: 2 })
  t.is(Buffer.from(header).toString('hex'), '0d0a0d0a000d0a515549540a21000000')
})
