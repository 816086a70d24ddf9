// What this pod knows by itself.
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { AgentFacts } from '../lib/tunnel/facts.ts'

/** What only the agent's process knows of itself. */
export type AgentIdentity = Pick<AgentFacts, 'version' | 'instance' | 'sshHostKey'>

/** Nothing here throws: what cannot be read is empty. */
export function gatherFacts(identity: AgentIdentity): AgentFacts {
  return {
    ...identity,
    node: process.version,
    resolvConf: textOf('/etc/resolv.conf'),
    serviceHost: process.env.KUBERNETES_SERVICE_HOST ?? '',
    podAddresses: podAddresses(),
    routes: textOf('/proc/net/route')
  }
}

export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function podAddresses(): AgentFacts['podAddresses'] {
  const found: AgentFacts['podAddresses'] = []
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, cidr, internal } of addresses ?? []) {
      if (internal || address.startsWith('fe80:')) continue
      found.push({ address, prefix: Number(cidr?.split('/')[1] ?? (address.includes(':') ? 128 : 32)) })
    }
  }
  return found
}
