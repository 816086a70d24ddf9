// Which proxy leads to the API server: `proxy-url` of the kubeconfig, else the environment by the rules of Go's httpproxy.
import { BlockList, isIP } from 'node:net'
import { KtError } from '../../errors.ts'

const SCHEMES = new Set(['http:', 'https:', 'socks5:', 'socks5h:'])

/** The proxy for `server`, or undefined for a direct connection. Throws KT_KUBECONFIG for one we cannot speak to. */
export function proxyFor(
  server: URL,
  proxyUrl: string | undefined,
  env: NodeJS.ProcessEnv = process.env
): URL | undefined {
  if (proxyUrl !== undefined && proxyUrl !== '') return parse(proxyUrl, 'proxy-url of the kubeconfig')
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = env[name] || env[name.toLowerCase()]
  if (value === undefined || value === '') return undefined
  if (bypassed(server, env.NO_PROXY || env.no_proxy || '')) return undefined
  return parse(value, name)
}

function parse(value: string, where: string): URL {
  const text = value.includes('://') ? value : `http://${value}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !SCHEMES.has(url.protocol))
    throw new KtError('KT_KUBECONFIG', `${where} is not a proxy kt can use: ${value}`, {
      hint: 'http://, https:// and socks5:// are supported'
    })
  return url
}

/** golang.org/x/net/http/httpproxy: loopback is never proxied; entries are *, names with their subdomains, addresses, CIDRs, all with or without a port. */
function bypassed(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = server.port || (server.protocol === 'https:' ? '443' : '80')
  if (host === 'localhost' || (isIP(host) && inRange(host, '127.0.0.0/8', '::1/128'))) return true
  return noProxy.split(',').some(raw => matches(raw.trim().toLowerCase(), host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  if (isIP(host) && /^[\da-f.:]+\/\d+$/.test(entry)) return inRange(host, entry)
  const colon = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(entry)
  const name = colon?.[1] ?? colon?.[2] ?? entry
  if (colon?.[3] !== undefined && colon[3] !== port) return false
  if (isIP(name)) return isIP(host) === isIP(name) && inRange(host, `${name}/${isIP(name) === 4 ? 32 : 128}`)
  const suffix = name.replace(/^\*/, '')
  // ".example.com" means subdomains only, "example.com" also itself.
  return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`)
}

function inRange(address: string, ...cidrs: string[]): boolean {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/')
    const family = isIP(network)
    const bits = Number(prefix)
    if (family !== 0 && bits <= (family === 4 ? 32 : 128)) list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
