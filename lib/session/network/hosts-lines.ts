// The cluster's names as lines of /etc/hosts: every spelling that a pod could use. Pure.
import type { ServiceRecord } from '../../dns/cluster-names.ts'
import type { WatchedNames } from '../../kube/network/services.ts'

/** Every program reads the whole file for every name: more lines than this would slow all of them down. */
const LINES_MAX = 5000

/** One line for each name and family, with the address that `toVirtual` makes of the cluster's, sorted; services of `namespaces`, short names for those of the session's own one. */
export function hostsLines(
  names: WatchedNames,
  namespaces: readonly string[],
  toVirtual: (address: string) => string = address => address
): string[] {
  const wanted = new Set([names.namespace, ...namespaces])
  const lines: string[] = []
  for (const service of names.services())
    if (wanted.has(service.namespace)) lines.push(...linesOf(service, names, toVirtual))
  return lines.sort().slice(0, LINES_MAX)
}

function linesOf(
  { name, namespace, addresses, endpoints }: ServiceRecord,
  names: WatchedNames,
  toVirtual: (address: string) => string
): string[] {
  const line = (first: string, its: readonly string[]): string[] => {
    const all = [`${first}.${namespace}.svc.${names.domain}`, `${first}.${namespace}.svc`, `${first}.${namespace}`]
    if (namespace === names.namespace) all.push(first)
    return oneOfEach(its).map(address => `${toVirtual(address)} ${all.join(' ')}`)
  }
  const addressesOf = [...addresses, ...endpoints.map(endpoint => endpoint.address)]
  return [
    ...line(name, addressesOf),
    ...endpoints
      .filter(({ hostname }) => hostname !== '')
      .flatMap(({ hostname, address }) => line(`${hostname}.${name}`, [address]))
  ]
}

/** hosts(5) has no turns: the first address of each family. */
function oneOfEach(addresses: readonly string[]): string[] {
  const first = [addresses.find(each => !each.includes(':')), addresses.find(each => each.includes(':'))]
  return first.filter(address => address !== undefined)
}
