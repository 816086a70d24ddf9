// "Try this": commands that work in the cluster which was just joined.
import type { ServiceRecord } from '../../dns/cluster-names.ts'
import type { WatchedNames } from '../../kube/network/services.ts'

/** Ports that speak HTTP by their name or number. */
const HTTP_PORTS = new Set([80, 8080, 8000, 3000, 5000])

/** Three commands: a short name, a full name, an address. First those with pods, of the own namespace, that look like HTTP. `suffix` stands behind the names. */
export function suggestions(
  names: WatchedNames,
  {
    suffix = '',
    toVirtual = (address: string) => address
  }: { suffix?: string; toVirtual?(address: string): string } = {}
): string[] {
  const best = [...names.services()]
    .filter(s => s.kind === 'ClusterIP' && s.ports.some(p => p.protocol === 'tcp'))
    .sort(
      (a, b) => rank(b, names) - rank(a, names) || names.ready(b) - names.ready(a) || a.name.localeCompare(b.name)
    )[0]
  if (best === undefined) return [`nslookup kubernetes.default.svc.${names.domain}`]
  const port = httpPort(best) ?? best.ports.find(p => p.protocol === 'tcp')
  const scheme = port?.port === 443 ? 'https' : 'http'
  const tail = port === undefined || port.port === 80 || port.port === 443 ? '' : `:${port.port}`
  const short = best.namespace === names.namespace ? best.name : `${best.name}.${best.namespace}`
  const address = toVirtual(best.addresses[0] ?? '')
  const tailed = (name: string): string => (suffix === '' ? name : `${name}.${suffix}`)
  return [
    tailed(short),
    tailed(`${best.name}.${best.namespace}.svc.${names.domain}`),
    address.includes(':') ? `[${address}]` : address
  ].map(host => `curl ${scheme}://${host}${tail}`)
}

function httpPort(service: ServiceRecord): ServiceRecord['ports'][number] | undefined {
  return service.ports.find(p => p.protocol === 'tcp' && (p.name.startsWith('http') || HTTP_PORTS.has(p.port)))
}

function rank(service: ServiceRecord, names: WatchedNames): number {
  return (
    (names.ready(service) > 0 ? 4 : 0) +
    (service.namespace === names.namespace ? 2 : 0) +
    (httpPort(service) === undefined ? 0 : 1)
  )
}
