import test from 'ava'
import fc from 'fast-check'
import { hasOurs, parseResolvConf, withOurs, withoutOurs } from '../../lib/host/resolv-conf.ts'

const OURS = { server: '198.18.0.2', search: ['demo.svc.cluster.local', 'svc.cluster.local', 'cluster.local'] }
const SEARCH = `search ${OURS.search.join(' ')}`

/** What we write, without our comment line. */
const written = (before: string, options = {}): string[] => {
  const [comment = '', ...lines] = withOurs(before, OURS, options).split('\n')
  if (!comment.startsWith('# kt:')) throw new Error(comment)
  return lines
}

test('our server and search domains come first, all else stays', t => {
  const before =
    '# by hand\n; and this\nnameserver 192.0.2.53\nsearch corp.test\noptions edns0 timeout:2\nsortlist 10.0.0.0\n'
  t.deepEqual(written(before), [
    'nameserver 198.18.0.2',
    `${SEARCH} corp.test`,
    '# by hand',
    '; and this',
    'nameserver 192.0.2.53',
    'options edns0 timeout:2',
    'sortlist 10.0.0.0',
    ''
  ])
})

test('three nameservers at most', t => {
  const before = '192.0.2.1 192.0.2.2 192.0.2.3'
    .split(' ')
    .map(a => `nameserver ${a}\n`)
    .join('')
  t.deepEqual(written(before), [
    'nameserver 198.18.0.2',
    SEARCH,
    'nameserver 192.0.2.1',
    'nameserver 192.0.2.2',
    '# kt: aside: nameserver 192.0.2.3',
    ''
  ])
})

test('alone, and with rotate, no other nameserver may be asked', t => {
  const aside = '# kt: aside: nameserver 192.0.2.1'
  t.deepEqual(written('nameserver 192.0.2.1\n', { alone: true }), ['nameserver 198.18.0.2', SEARCH, aside, ''])
  t.deepEqual(written('options rotate\nnameserver 192.0.2.1\n'), [
    'nameserver 198.18.0.2',
    SEARCH,
    'options rotate',
    aside,
    ''
  ])
})

test('search: the last line counts, domain is one, the host name is the default', t => {
  t.is(written('search a.test b.test\nsearch c.test\n')[1], `${SEARCH} c.test`)
  t.is(written('search a.test\ndomain d.test\n')[1], `${SEARCH} d.test`)
  t.is(written('', { impliedSearch: 'corp.test' })[1], `${SEARCH} corp.test`)
  t.is(written('search x.test\n', { impliedSearch: 'corp.test' })[1], `${SEARCH} x.test`)
})

test('search: at most six, at most 256 characters, none twice', t => {
  t.is(written('search a b c d e f\n')[1], `${SEARCH} a b c`)
  t.is(written('search cluster.local a a\n')[1], `${SEARCH} a`)
  const long = `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.test`
  t.is(written(`search ${long} ${long}2 b\n`)[1], `${SEARCH} ${long} b`)
})

test('a file without an end of line, an empty one and a missing one', t => {
  t.deepEqual(written('nameserver 192.0.2.1'), ['nameserver 198.18.0.2', SEARCH, 'nameserver 192.0.2.1', ''])
  t.deepEqual(written(''), ['nameserver 198.18.0.2', SEARCH, ''])
})

test('comments are no settings', t => {
  t.deepEqual(parseResolvConf('#nameserver 192.0.2.1\n;search x\nnameserver\t192.0.2.2 # mine\n'), {
    nameservers: ['192.0.2.2'],
    search: [],
    options: []
  })
})

test('only our lines are taken out of a file that others have changed', t => {
  const changed = withOurs('nameserver 192.0.2.1\nsearch corp.test\n', OURS).replace('192.0.2.1', '192.0.2.99')
  t.true(hasOurs(changed, OURS))
  t.is(withoutOurs(changed, OURS), 'search corp.test\nnameserver 192.0.2.99\n')
  t.false(hasOurs(withoutOurs(changed, OURS), OURS))
  t.is(withoutOurs(withOurs('', OURS), OURS), '')
})

test('nameservers that were put aside are there again when ours is taken out of a changed file', t => {
  for (const [before, options] of [
    ['nameserver 192.0.2.1\nnameserver 192.0.2.2\n', { alone: true }],
    ['options rotate\nnameserver 192.0.2.1\n', {}],
    ['nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n', {}]
  ] as const) {
    const changed = `${withOurs(before, OURS, options)}# by another program\n`
    t.is(withoutOurs(changed, OURS), `${before}# by another program\n`)
  }
})

test('property: whatever stands in the file, our server is asked first and nothing of ours is left when it is taken out', t => {
  const line = fc.oneof(
    fc.constantFrom('nameserver 192.0.2.1', 'search a.test', 'domain b.test', 'options ndots:2', '# x', ';y', ''),
    fc.string({ maxLength: 20 }).map(text => text.replaceAll('\n', ' '))
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), lines => {
      const text = withOurs(lines.join('\n'), OURS)
      const { nameservers, search } = parseResolvConf(text)
      const clean = withoutOurs(text, OURS)
      return (
        nameservers[0] === OURS.server &&
        nameservers.length <= 3 &&
        search.slice(0, 3).join() === OURS.search.join() &&
        search.length <= 6 &&
        !hasOurs(clean, OURS)
      )
    })
  )
  t.pass()
})
