import test from 'ava'
import fc from 'fast-check'
import { formatAddress, parseAddress } from '../../lib/wire/address.ts'

const format = (bytes: Uint8Array): string => formatAddress(bytes, 0, bytes.length)

test('addresses in their canonical spelling, RFC 5952', t => {
  const pairs: [string, string][] = [
    ['10.96.0.7', '10.96.0.7'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['FD00:0096:0::7', 'fd00:96::7'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1::', '1::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:10.1.2.3', '::ffff:10.1.2.3'],
    ['::ffff:a01:203', '::ffff:10.1.2.3'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203']
  ]
  for (const [text, canonical] of pairs) t.is(format(parseAddress(text)!), canonical)
})

test('what is no address', t => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.-4',
    'a.b.c.d',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'fe80::1%eth0',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5'
  ]) {
    t.is(parseAddress(text), undefined, text)
  }
})

test('parse(format(x)) is x, and format is what URL says', t => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 0, 1), { minLength: 16, maxLength: 16 }).map(list => Uint8Array.from(list))
  )
  t.notThrows(() =>
    fc.assert(
      fc.property(address, bytes => {
        const text = format(bytes)
        const mapped = text.startsWith('::ffff:') && text.includes('.')
        const host = bytes.length === 4 ? text : `[${text}]`
        return (
          Buffer.compare(parseAddress(text)!, bytes) === 0 && (mapped || new URL(`http://${host}/`).hostname === host)
        )
      })
    )
  )
  t.notThrows(() => fc.assert(fc.property(fc.string(), text => parseAddress(text)?.length !== 0)))
})
