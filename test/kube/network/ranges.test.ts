// What a carrier itself needs. What a cluster tells of its ranges is in test/e2e/up.
import test from 'ava'
import { carrierAddresses } from '../../../lib/kube/network/ranges.ts'

const server = new URL('https://192.0.2.10:6443')

test('the server and the proxy before it, which need not have a name here', async t => {
  const ofServer = { address: '192.0.2.10', reason: 'the API server' }
  const proxy = new URL('http://[2001:db8::0:1]:3128')
  t.deepEqual(await carrierAddresses({ server, proxy: undefined, jumpAddresses: [] }), [ofServer])
  t.deepEqual(await carrierAddresses({ server, proxy, jumpAddresses: [] }), [
    ofServer,
    { address: '2001:db8::1', reason: 'the proxy before the API server' }
  ])
})

test('a jump host is where it was reached, whatever its name means by now', async t => {
  const proxy = new URL('ssh://me@localhost:22')
  const found = await carrierAddresses({ server, proxy, jumpAddresses: ['192.0.2.11', '2001:db8:0::2'] })
  t.deepEqual(found.slice(1), [
    { address: '192.0.2.11', reason: 'the jump host before the API server' },
    { address: '2001:db8::2', reason: 'the jump host before the API server' }
  ])
})
