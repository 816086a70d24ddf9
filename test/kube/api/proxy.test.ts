import test from 'ava'
import { proxyFor } from '../../../lib/kube/api/proxy.ts'

const NAMED = new URL('https://api.team.example.com:6443')
const NUMBERED = new URL('https://10.1.2.3:6443')
const PROXY = { HTTPS_PROXY: 'http://proxy:3128' }

function through(server: URL, noProxy: string): boolean {
  return proxyFor(server, undefined, { ...PROXY, NO_PROXY: noProxy }) !== undefined
}

test('proxy-url goes before the environment, and NO_PROXY is not for it', t => {
  const env = { ...PROXY, NO_PROXY: '*' }
  t.is(proxyFor(NAMED, 'socks5://127.0.0.1:1080', env)?.href, 'socks5://127.0.0.1:1080')
})

test('HTTPS_PROXY is for https servers, HTTP_PROXY for http ones, in capitals or not', t => {
  t.is(proxyFor(NAMED, undefined, PROXY)?.host, 'proxy:3128')
  t.is(proxyFor(NAMED, undefined, { https_proxy: 'proxy:1' })?.href, 'http://proxy:1/')
  t.is(proxyFor(new URL('http://api'), undefined, PROXY), undefined)
  t.is(proxyFor(new URL('http://api'), undefined, { HTTP_PROXY: 'http://p' })?.hostname, 'p')
  t.is(proxyFor(NAMED, undefined, {}), undefined)
})

test('NO_PROXY: names, subdomains, ports, addresses, ranges, all', t => {
  for (const entry of [
    '*',
    'example.com',
    '.example.com',
    '*.example.com',
    'API.team.example.com',
    'api.team.example.com:6443',
    ' x , example.com'
  ])
    t.false(through(NAMED, entry), entry)
  for (const entry of [
    '',
    'ample.com',
    'example.org',
    '.api.team.example.com',
    'api.team.example.com:443',
    '10.0.0.0/8'
  ])
    t.true(through(NAMED, entry), entry)
  for (const entry of ['10.1.2.3', '10.1.2.3:6443', '10.0.0.0/8']) t.false(through(NUMBERED, entry), entry)
  for (const entry of ['10.1.2.4', '10.1.2.3:443', '11.0.0.0/8', 'fd00::/8']) t.true(through(NUMBERED, entry), entry)
  t.false(through(new URL('https://[fd00::1]:6443'), 'fd00::/8'))
  t.false(through(new URL('https://[fd00::1]:6443'), '[fd00::1]:6443'))
})

test('loopback is never proxied', t => {
  for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '[::1]'])
    t.false(through(new URL(`https://${host}:6443`), ''), host)
})

test('a proxy that cannot be used is said, not skipped', t => {
  t.throws(() => proxyFor(NAMED, 'ftp://x'), {
    message: /proxy-url of the kubeconfig is not a proxy kt can use: ftp:\/\/x/
  })
  t.throws(() => proxyFor(NAMED, undefined, { HTTPS_PROXY: 'quic://x' }), { message: /HTTPS_PROXY/ })
})
