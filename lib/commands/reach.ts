// Flags of the commands that put the cluster's names and addresses within reach: which of them, and how they are found.
import { type Command, InvalidArgumentError } from 'commander'
import type { AccessOptions } from '../session/access.ts'
import { commaList, seconds } from './global.ts'

export interface ReachFlags {
  excludeIps?: string[]
  includeIps?: string[]
  disablePodIp?: boolean
  dnsCacheTtl?: number
  clusterDomain?: string
  includeDomains?: string[]
}

export function reachFlags(command: Command): Command {
  return command
    .option('--excludeIps <list>', 'addresses and ranges that stay outside, comma separated', commaList)
    .option('--includeIps <list>', 'further addresses and ranges to route, comma separated', commaList)
    .option('--disablePodIp', 'do not route pod addresses')
    .option('--dnsCacheTtl <seconds>', "how long an answer of the cluster's DNS is kept at most (default: 30)", seconds)
    .option('--clusterDomain <domain>', "the cluster's domain (default: as the cluster says)", domain)
    .option('--includeDomains <list>', "further domains that the cluster's DNS is asked for, comma separated", domains)
}

export function reachOptions(
  flags: ReachFlags
): Pick<
  AccessOptions,
  'excludeIps' | 'includeIps' | 'disablePodIp' | 'dnsCacheTtl' | 'clusterDomain' | 'includeDomains'
> {
  return {
    excludeIps: flags.excludeIps ?? [],
    includeIps: flags.includeIps ?? [],
    disablePodIp: flags.disablePodIp ?? false,
    dnsCacheTtl: flags.dnsCacheTtl,
    clusterDomain: flags.clusterDomain,
    includeDomains: flags.includeDomains ?? []
  }
}

/** Lower case, without dots at its ends. */
function domain(value: string): string {
  const name = value.toLowerCase().replace(/^\.|\.$/g, '')
  if (!/^([-_a-z0-9]{1,63}\.)*[-_a-z0-9]{1,63}$/.test(name)) throw new InvalidArgumentError('a domain is expected')
  return name
}

function domains(value: string, before: string[] = []): string[] {
  return [...before, ...commaList(value).map(domain)]
}
