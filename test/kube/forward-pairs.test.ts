import test from 'ava'
import type { KtError } from '../../lib/errors.ts'
import { parsePairs } from '../../lib/kube/forward-target.ts'

test('pairs: numbers, names, lists', t => {
  t.deepEqual(parsePairs(['8080:80', '9090:http,7000', 'metrics']), [
    { local: 8080, remote: '80' },
    { local: 9090, remote: 'http' },
    { local: 7000, remote: '7000' },
    { local: undefined, remote: 'metrics' }
  ])
  t.deepEqual(parsePairs([]), [])
})

test('what is no pair is named', t => {
  for (const text of ['a:80', '80:', ':80', '1:2:3', '0', '65536', '80:70000', '80/udp', '-1']) {
    const error = t.throws<KtError>(() => parsePairs([text]), undefined, text)
    t.is(error.code, 'KT_USAGE')
    t.is(error.message, `"${text}" is no pair of ports`)
  }
})
