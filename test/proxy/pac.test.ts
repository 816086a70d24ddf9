// What a browser makes of proxy.pac.
import { createContext, runInContext } from 'node:vm'
import test from 'ava'
import { covers } from '../../lib/host/plan.ts'
import { pacFile } from '../../lib/proxy/pac.ts'

const prefixOf = (mask: string): number =>
  mask.split('.').reduce((sum, byte) => sum + Number(byte).toString(2).replaceAll('0', '').length, 0)

/** `FindProxyForURL` with the two functions of a browser that it may use. */
function find(file: string): (host: string) => string {
  const context = createContext({
    isInNet: (host: string, net: string, mask: string) => covers([{ cidr: `${net}/${prefixOf(mask)}` }], host),
    isInNetEx: (host: string, cidr: string) => covers([{ cidr }], host)
  })
  runInContext(file, context)
  return host =>
    runInContext(`FindProxyForURL(${JSON.stringify(`http://${host}/`)}, ${JSON.stringify(host)})`, context) as string
}

test('names and ranges of the cluster go to the proxy, everything else where it went', t => {
  const file = pacFile({
    proxy: '127.0.0.1:2223',
    domains: ['cluster.local', 'corp.internal'],
    namespace: 'demo',
    services: [
      { namespace: 'demo', name: 'nginx' },
      { namespace: 'shop', name: 'cart' },
      { namespace: 'demo', name: '__proto__' }
    ],
    cidrs: ['10.96.0.0/12', '10.244.1.5/32', 'fd00:10::/112']
  })
  const ask = find(file)
  const proxied = 'PROXY 127.0.0.1:2223; SOCKS5 127.0.0.1:2223; SOCKS 127.0.0.1:2223'
  const cluster = [
    ...['nginx', 'NGINX', 'nginx.demo', 'cart.shop', 'cart.shop.', 'web-0.nginx.demo', 'web-0.nginx'],
    ...['any.other.svc', '10-0-0-1.demo.pod', 'x.demo.svc.cluster.local', 'git.corp.internal'],
    ...['10.96.0.1', '10.111.255.255', '10.244.1.5', 'fd00:10::7', '[fd00:10::7]']
  ]
  for (const host of cluster) t.is(ask(host), proxied, host)
  const others = [
    ...[
      'cart',
      'www.example.com',
      'nginx.example',
      'svc',
      'cluster.local.example',
      'localhost',
      'toString',
      'a.toString'
    ],
    ...['10.112.0.0', '10.244.1.6', '192.0.2.1', 'fd00:11::7', '::1']
  ]
  for (const host of others) t.is(ask(host), 'DIRECT', host)
})

test('a name cannot leave its quotes', t => {
  const evil = `"; throw 1; //`
  const file = pacFile({
    proxy: 'p:1',
    domains: [evil],
    namespace: evil,
    services: [{ namespace: evil, name: evil }],
    cidrs: []
  })
  t.is(find(file)('x'), 'DIRECT')
})
