import test from 'ava'
import type { KtError } from '../../../lib/errors.ts'
import { parsePairs } from '../../../lib/kube/traffic/forward-target.ts'

test('pairs: numbers, names, lists', t => {
  t.deepEqual(parsePairs(['8080:80', '9090:http,7000/tcp', 'metrics', '5353:53/UDP']), [
    { local: 8080, remote: '80', network: 'tcp' },
    { local: 9090, remote: 'http', network: 'tcp' },
    { local: 7000, remote: '7000', network: 'tcp' },
    { local: undefined, remote: 'metrics', network: 'tcp' },
    { local: 5353, remote: '53', network: 'udp' }
  ])
  t.deepEqual(parsePairs([]), [])
})

test('what is no pair is named', t => {
  for (const text of ['a:80', '80:', ':80', '1:2:3', '0', '65536', '80:70000', '80/sctp', '80/udp/udp', '/udp', '-1']) {
    const error = t.throws<KtError>(() => parsePairs([text]), undefined, text)
    t.is(error.code, 'KT_USAGE')
    t.is(error.message, `"${text}" is no pair of ports`)
  }
})
