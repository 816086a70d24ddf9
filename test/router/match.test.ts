import test from 'ava'
import fc from 'fast-check'
import type { Condition, Route } from '../../lib/router/config.ts'
import { type RequestView, RouteTable, splitTarget } from '../../lib/router/match.ts'

function route(name: string, match: Condition[], ports: Record<string, number> = { 80: 80 }): Route {
  return { name, owner: 'ada', match, to: { host: '::1', ports }, mirror: false }
}

function request(target: string, fields: [string, string][] = []): RequestView {
  return { ...splitTarget(target), field: name => fields.filter(([key]) => key === name).map(([, value]) => value) }
}

function fits(condition: Condition, view: RequestView): boolean {
  return new RouteTable([route('a', [condition])]).find(80, view) !== undefined
}

test('a header in any case, any of its lines', t => {
  const view = request('/', [
    ['version', 'xxxxx'],
    ['version', 'abcde']
  ])
  t.true(fits({ header: 'VERSION', exact: 'abcde' }, view))
  t.true(fits({ header: 'Version', regex: '[a-e]+' }, view))
  t.false(fits({ header: 'VERSION', exact: 'ABCDE' }, view))
  t.false(fits({ header: 'version', regex: 'abc' }, view), 'all of the value must match')
  t.false(fits({ header: 'other', regex: '.*' }, view))
})

test('a path prefix takes whole segments', t => {
  const prefix: Condition = { pathPrefix: '/shop' }
  for (const target of ['/shop', '/shop/', '/shop/1?x=/y', '/shop?x', 'http://shop:80/shop/1'])
    t.true(fits(prefix, request(target)), target)
  for (const target of ['/', '/shopping', '/Shop', '/x/shop', '*', 'shop:80', '/?/shop', 'http://shop'])
    t.false(fits(prefix, request(target)), target)
  for (const target of ['/', '/a', 'http://shop']) t.true(fits({ pathPrefix: '/' }, request(target)), target)
  t.true(fits({ pathPrefix: '/shop/' }, request('/shop/1')))
})

test('a parameter of the query, decoded, any of them', t => {
  const view = request('/x?a=1&v=%61b+c&v=z&empty')
  t.true(fits({ query: 'v', exact: 'ab c' }, view))
  t.true(fits({ query: 'v', exact: 'z' }, view))
  t.true(fits({ query: 'empty', exact: '' }, view))
  t.false(fits({ query: 'v', exact: '1' }, view))
  t.false(fits({ query: 'v', exact: 'z' }, request('/v=z')))
})

test('a cookie', t => {
  const view = request('/', [
    ['cookie', 'a=1; version=abcde'],
    ['cookie', 'xversion=no;late="x=y"']
  ])
  t.true(fits({ cookie: 'version', exact: 'abcde' }, view))
  t.true(fits({ cookie: 'late', exact: '"x=y"' }, view))
  t.false(fits({ cookie: 'version', exact: 'no' }, view))
  t.false(fits({ cookie: 'ersion', regex: '.*' }, view))
})

test('all conditions must hold, the first route wins, and only at its ports', t => {
  const table = new RouteTable([
    route('both', [{ header: 'v', exact: '1' }, { pathPrefix: '/a' }]),
    route('elsewhere', [{ header: 'v', exact: '1' }], { 81: 80 }),
    route('header', [{ header: 'v', exact: '1' }]),
    route('later', [{ pathPrefix: '/a' }])
  ])
  const find = (port: number, target: string, value: string): string | undefined =>
    table.find(port, request(target, [['v', value]]))?.name
  t.is(find(80, '/a', '1'), 'both')
  t.is(find(80, '/b', '1'), 'header')
  t.is(find(80, '/a', '2'), 'later')
  t.is(find(80, '/b', '2'), undefined)
  t.is(find(81, '/a', '1'), 'elsewhere')
  t.is(find(82, '/a', '1'), undefined)
})

test('an expression made to be slow is not', t => {
  const evil = request('/', [['v', 'a'.repeat(100_000)]])
  const began = performance.now()
  t.false(fits({ header: 'v', regex: '(a+)+b' }, evil))
  t.true(performance.now() - began < 1_000)
})

test('no target breaks the split, and its parts are parts of it', t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl({ withQueryParameters: true })), target => {
      const { path, query } = splitTarget(target)
      return (target.includes(path) || path === '/') && target.endsWith(query)
    })
  )
  const url = 'http://u@shop.demo:8080/a/b?c=d'
  t.deepEqual(splitTarget(url), { path: '/a/b', query: 'c=d' })
  t.deepEqual(splitTarget('http://shop?c'), { path: '/', query: 'c' })
})
