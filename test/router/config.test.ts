import test from 'ava'
import fc from 'fast-check'
import { parseRoutes, type RouterConfig } from '../../lib/router/config.ts'

const ROUTE: RouterConfig['routes'][number] = {
  name: 'abcde',
  owner: 'ada@laptop',
  match: [
    { header: 'VERSION', exact: 'abcde' },
    { header: 'x-team', regex: 'core|edge-[0-9]+' },
    { query: 'v', exact: '' },
    { cookie: 'version', regex: '.*' },
    { pathPrefix: '/shop' }
  ],
  to: { host: '10.244.1.7', ports: { 8080: 8080 } },
  mirror: false
}
const CONFIG: RouterConfig = {
  version: 1,
  service: 'shop',
  originals: 'shop-kt-stuntman.demo.svc',
  ports: [
    { port: 8080, network: 'tcp', original: 8080 },
    { port: 8080, network: 'udp', original: 53 }
  ],
  routes: [ROUTE]
}

test('a file survives', t => {
  t.deepEqual(parseRoutes(JSON.stringify(CONFIG)), CONFIG)
  const other = {
    ...CONFIG,
    originals: 'fd00::7',
    routes: [{ ...ROUTE, to: { host: 'fd00::8', ports: {} }, mirror: true }]
  }
  t.deepEqual(parseRoutes(JSON.stringify(other)), other)
})

test('what is wrong is named, in one line', t => {
  const wrong = (change: object): string =>
    t.throws(() => parseRoutes(JSON.stringify({ ...CONFIG, ...change }))).message
  const wrongRoute = (change: object): string => wrong({ routes: [{ ...ROUTE, ...change }] })
  const wrongMatch = (condition: object): string => wrongRoute({ match: [condition] })
  t.is(t.throws(() => parseRoutes('{')).message, 'the configuration must be JSON')
  t.is(wrong({ version: 2 }), 'version must be 1')
  t.is(wrong({ originals: '' }), 'originals must be a name or an address')
  t.is(wrong({ ports: [] }), 'ports must be 1 to 256 ports')
  t.is(wrong({ ports: [CONFIG.ports[0], CONFIG.ports[0]] }), 'ports must be each port once')
  t.is(wrong({ surprise: 1 }), 'the configuration must be without "surprise"')
  t.is(wrong({ routes: [ROUTE, ROUTE] }), 'routes must be each name once')
  t.is(wrongRoute({ match: [] }), 'routes[0].match must be 1 to 16 conditions')
  t.is(wrongRoute({ to: { host: 'shadow', ports: {} } }), 'routes[0].to.host must be an address')
  t.is(wrongRoute({ to: { host: '::1', ports: { 80: 0 } } }), 'routes[0].to.ports["80"] must be a port')
  t.is(wrongRoute({ to: { host: '::1', ports: { http: 80 } } }), 'routes[0].to.ports must be from ports')
  t.is(wrongRoute({ mirror: undefined }), 'routes[0].mirror must be true or false')
  t.is(wrongMatch({ header: 'a b', exact: '' }), 'routes[0].match[0].header must be a name')
  t.is(wrongMatch({ header: 'a' }), 'routes[0].match[0] must be either exact or a regex')
  t.is(
    wrongMatch({ header: 'a', query: 'b', exact: 'c' }),
    'routes[0].match[0] must be one of header, query, cookie and pathPrefix'
  )
  t.is(wrongMatch({ pathPrefix: 'shop' }), 'routes[0].match[0].pathPrefix must be a path from / on')
  t.is(wrongMatch({ pathPrefix: '/', exact: 'a' }), 'routes[0].match[0] must be a path prefix and no more')
})

test('a regular expression that could take long, or is none, is refused', t => {
  const wrong = (regex: string): string =>
    t.throws(() => parseRoutes(JSON.stringify({ ...CONFIG, routes: [{ ...ROUTE, match: [{ header: 'a', regex }] }] })))
      .message
  const start = 'routes[0].match[0].regex must be a regular expression of linear time: '
  t.is(wrong('(a)\\1'), `${start}cannot be executed in linear time`)
  t.is(wrong('(?=a)b'), `${start}cannot be executed in linear time`)
  t.is(wrong('a)|(b'), `${start}unmatched ')'`)
  t.is(wrong('a'.repeat(513)), `${start}longer than 512 characters`)
})

test('whatever the text is, the error is one line', t => {
  const near = fc.dictionary(fc.constantFrom(...Object.keys(CONFIG), ...Object.keys(ROUTE)), fc.jsonValue())
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        near.map(value => JSON.stringify({ ...CONFIG, ...value }))
      ),
      text => {
        try {
          parseRoutes(text)
          return true
        } catch (error) {
          return error instanceof Error && !error.message.includes('\n') && error.message.includes(' must be ')
        }
      }
    )
  )
  t.pass()
})
