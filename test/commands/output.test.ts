import test from 'ava'
import { pairs, parseQuota } from '../../lib/commands/cluster-options.ts'
import { mayColour, yaml } from '../../lib/commands/output.ts'
import { redact } from '../../lib/commands/redact.ts'
import { table } from '../../lib/commands/table.ts'

test('colours: NO_COLOR before FORCE_COLOR before the terminal', t => {
  const [terminal, pipe] = [{ isTTY: true }, {}]
  t.true(mayColour(terminal, {}))
  t.false(mayColour(pipe, {}))
  t.false(mayColour(terminal, { TERM: 'dumb' }))
  t.false(mayColour(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }))
  t.true(mayColour(terminal, { NO_COLOR: '' }))
  t.true(mayColour(pipe, { FORCE_COLOR: '1' }))
  t.true(mayColour(pipe, { FORCE_COLOR: '' }))
  t.false(mayColour(terminal, { FORCE_COLOR: '0' }))
})

test('YAML has what JSON has', t => {
  t.is(yaml({ a: 1, none: undefined, list: ['x', true] }), 'a: 1\nlist:\n  - x\n  - true\n')
})

test('a table has no lines and no blanks at the end', t => {
  t.is(
    table(
      ['A', 'LONG'],
      [
        ['1', ''],
        ['three', '4']
      ]
    ),
    'A      LONG\n1\nthree  4\n'
  )
  t.is(table(['A'], []), '')
})

test('secrets are taken out of a bundle, twice the same', t => {
  const secrets = [
    'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl',
    'Authorization: Bearer abcdefgh12345678',
    'http://user:hunter2-pass@proxy.example:8080',
    'client-key-data: LS0tLS1CRUdJTiBSU0Eg',
    '"password": "hunter2-pass"',
    '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI\n-----END PRIVATE KEY-----'
  ]
  const text = secrets.join('\n')
  const clean = redact(text)
  for (const secret of ['eyJ', 'abcdefgh12345678', 'hunter2', 'LS0tLS1', 'MC4CAQ'])
    t.false(clean.includes(secret), secret)
  t.true(clean.includes('proxy.example:8080'))
  t.is(redact(clean), clean)
  const plain = 'kt up: connected, pod kt-connect-shadow-abcde, https://10.0.0.1:6443\nroute: 10.96.0.0/16'
  t.is(redact(plain), plain)
})

test('key=value lists and quotas as kt-connect writes them', t => {
  t.deepEqual(pairs('--nodeSelector', 'a=b, c/d=e=f,g='), { a: 'b', 'c/d': 'e=f', g: '' })
  t.throws(() => pairs('--withLabel', 'a'), { message: '--withLabel: "a" is not key=value' })
  t.deepEqual(parseQuota('0.5c,512m'), { cpu: '0.5', memory: '512Mi' })
  t.deepEqual(parseQuota('1G'), { memory: '1Gi' })
  t.deepEqual(parseQuota('64k'), { memory: '64Ki' })
  t.throws(() => parseQuota('half'), { message: '--podQuota: "half" is neither cores nor bytes' })
})
