// lib/kube/mesh/match.ts: what --versionMark and --match mean.
import test from 'ava'
import fc from 'fast-check'
import {
  conditionsOf,
  describeConditions,
  parseMark,
  parseMatch,
  sameConditions
} from '../../../lib/kube/mesh/match.ts'
import { parseRoutes } from '../../../lib/router/config.ts'

test('--versionMark: v, key: and key:v; what is missing is version and five letters', t => {
  t.like(parseMark('blue'), { header: 'version', version: 'blue' })
  t.like(parseMark('X-Team:blue'), { header: 'x-team', version: 'blue' })
  for (const [text, header] of [
    [undefined, 'version'],
    ['x-team:', 'x-team']
  ] as const) {
    const mark = parseMark(text)
    t.is(mark.header, header)
    t.regex(mark.version, /^[a-z]{5}$/)
  }
  for (const wrong of ['', ':', ':v', 'a b:v', 'a:b c', '-v', 'v-', 'ä', 'a:b:c', 'x'.repeat(64)])
    t.throws(() => parseMark(wrong), { code: 'KT_USAGE' }, wrong)
})

test('without --match the header of the mark is meant; with it only what it says, and the header where it was named', t => {
  const matches = ['path:/api']
  t.deepEqual(conditionsOf(parseMark('blue'), []), [{ header: 'version', exact: 'blue' }])
  t.deepEqual(conditionsOf(parseMark(undefined), matches), [{ pathPrefix: '/api' }])
  t.deepEqual(conditionsOf(parseMark('blue'), matches), [{ header: 'version', exact: 'blue' }, { pathPrefix: '/api' }])
  t.throws(
    () =>
      conditionsOf(
        parseMark('blue'),
        Array.from({ length: 17 }, () => 'path:/a')
      ),
    { code: 'KT_USAGE' }
  )
})

test('--match: header, path, query and cookie, exact or by a regular expression', t => {
  t.deepEqual(parseMatch('header:User-Agent~.*Firefox/.*'), { header: 'user-agent', regex: '.*Firefox/.*' })
  t.deepEqual(parseMatch('header:x-a=b=c~d'), { header: 'x-a', exact: 'b=c~d' })
  t.deepEqual(parseMatch('header:x-a='), { header: 'x-a', exact: '' })
  t.deepEqual(parseMatch('path:/api/v2'), { pathPrefix: '/api/v2' })
  t.deepEqual(parseMatch('query:user=ada lovelace'), { query: 'user', exact: 'ada lovelace' })
  t.deepEqual(parseMatch('cookie:Session~[a-f]+'), { cookie: 'Session', regex: '[a-f]+' })
  for (const wrong of [
    'x',
    'header:x',
    'header:=v',
    'header:a b=v',
    'path:api',
    'path:/a b',
    'query:=v',
    'method:x=GET'
  ])
    t.throws(() => parseMatch(wrong), { code: 'KT_USAGE' }, wrong)
  for (const wrong of ['header:x~(', 'header:x~(?=a)b', 'header:x~(a)\\1', `header:x~${'a'.repeat(513)}`])
    t.throws(() => parseMatch(wrong), { code: 'KT_USAGE' }, wrong)
})

test('whatever is accepted, the router takes it', t => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { minLength: 1, maxLength: 4 }), words => {
      const kinds = ['header:x-a=', 'query:q=', 'cookie:c=', 'path:/', 'header:x-b~']
      const accepted = words.flatMap((word, i) => {
        try {
          return parseMatch(`${kinds[(word.length + i) % kinds.length]}${word}`)
        } catch {
          return []
        }
      })
      if (accepted.length === 0) return true
      const route = { name: 'v', owner: 'o', match: accepted, to: { host: '10.0.0.1', ports: {} }, mirror: false }
      const ports = [{ port: 80, network: 'tcp', original: 80 }]
      parseRoutes(JSON.stringify({ version: 1, service: 's', originals: 'o.d.svc', ports, routes: [route] }))
      return true
    })
  )
  t.pass()
})

test('conditions for people, and which are the same', t => {
  const match = [parseMatch('header:version=blue'), parseMatch('path:/api'), parseMatch('cookie:a~b+')]
  t.is(describeConditions(match), "header 'VERSION: blue' and path /api and cookie 'a=~ b+'")
  t.true(sameConditions(match, match.toReversed()))
  t.false(sameConditions(match, match.slice(1)))
})
