// systemd-resolved: our server for the cluster's domains on our link alone (RESOLVED-VPNS.md). All of it goes with the link.
import { readFile } from 'node:fs/promises'
import { KtError } from '../errors.ts'
import { parseResolvConf } from './resolv-conf.ts'
import { run } from './run.ts'

/** The addresses of its stub on every computer (systemd-resolved.service(8)). */
const STUBS = new Set(['127.0.0.53', '127.0.0.54'])
/** The servers that it asks itself. */
const UPLINKS = '/run/systemd/resolve/resolv.conf'

export interface LinkDns {
  device: string
  server: string
  /** Domains that are also tried behind a name of one label, the most special first. */
  search: readonly string[]
  /** Further domains whose names are asked here. */
  routed: readonly string[]
}

/** True if programs ask systemd-resolved: /etc/resolv.conf names its stub and nothing else, and it answers. */
export async function usesResolved(resolvConf: string): Promise<boolean> {
  const { nameservers } = parseResolvConf(resolvConf)
  if (nameservers.length === 0 || !nameservers.every(address => STUBS.has(address))) return false
  try {
    return (await run('resolvectl', ['--no-pager', 'dns'], { limitMs: 3000 })).ok
  } catch {
    return false // resolvectl is not there: then the stub is a server like any other
  }
}

/** Servers that systemd-resolved knows, without the one that we are about to give it. */
export async function resolvedUpstreams(): Promise<string[]> {
  const text = await readFile(UPLINKS, 'utf8').catch(() => '')
  return parseResolvConf(text).nameservers.filter(address => !STUBS.has(address))
}

/** Set the link up. The server comes last: until then nothing is asked here, so no other name ever goes the wrong way. */
export async function setLink({ device, server, search, routed }: LinkDns): Promise<void> {
  await resolvectl('default-route', device, 'false')
  await routeDomains({ device, search, routed })
  // A server inside the TUN needs none of these, and a global "yes" would make resolved insist. Older versions lack some.
  await Promise.all(
    ['llmnr', 'mdns', 'dnssec', 'dnsovertls'].map(setting => run('resolvectl', [setting, device, 'no']))
  )
  await resolvectl('dns', device, server)
}

/** Which names are asked on the link. */
export async function routeDomains({ device, search, routed }: Omit<LinkDns, 'server'>): Promise<void> {
  await resolvectl('domain', device, ...search, ...routed.map(domain => `~${domain}`))
}

/** As if kt had never been there; a link that has gone already took its settings with it. */
export async function revertLink(device: string): Promise<void> {
  await run('resolvectl', ['revert', device])
  await run('resolvectl', ['flush-caches'])
}

async function resolvectl(...args: string[]): Promise<void> {
  const { ok, stderr } = await run('resolvectl', args)
  if (!ok) throw new KtError('KT_RESOLVER', `resolvectl ${args[0]}: ${stderr.split('\n')[0]}`)
}
