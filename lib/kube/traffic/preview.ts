// The Service of a preview: new, ours, and gone with its heartbeat.
import { KtError } from '../../errors.ts'
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Service } from '../api/client.ts'
import { SERVICES } from '../api/resource.ts'
import { watchObjects } from '../api/watch.ts'
import { CONTROL_LABEL, ROLE_LABEL, randomSuffix, TARGET_LABEL } from '../names.ts'
import type { CarriedPort } from './ports.ts'

export interface Preview {
  name: string
  /** What only our shadow carries. */
  token: string
  annotations: Record<string, string>
  ports: readonly CarriedPort[]
  /** Type LoadBalancer. */
  external: boolean
}

/** A value that nobody else's pod has. */
export function previewToken(): string {
  return `${randomSuffix()}${randomSuffix()}`
}

/** Throws KT_CONFLICT when the name was taken meanwhile. Not to be interrupted, so that what was made is known. */
export async function createPreview(
  { api, namespace }: Cluster,
  { name, token, annotations, ports, external }: Preview
): Promise<void> {
  const body: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: { [CONTROL_LABEL]: 'kt', [ROLE_LABEL]: 'preview' }, annotations },
    spec: {
      type: external ? 'LoadBalancer' : 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      selector: { [TARGET_LABEL]: token },
      ports: ports.map(({ port, network }) => ({
        name: network === 'tcp' ? `kt-${port}` : `kt-${port}-udp`,
        port,
        targetPort: port,
        protocol: network.toUpperCase()
      }))
    }
  }
  try {
    await api.call({ ...SERVICES, verb: 'create', namespace, body })
  } catch (cause) {
    if (statusOf(cause) !== 409) throw cause
    throw new KtError('KT_CONFLICT', `somebody else has just created a service '${name}'`, { cause })
  }
}

/**
 * Tell where a service of type LoadBalancer is reached from outside, now and whenever that changes: at the addresses that a load
 * balancer has given it, and until then at its port of every node. Resolves when it was told once; the watch lives until `signal`.
 */
export async function watchOutside(
  { api, namespace }: Cluster,
  name: string,
  signal: AbortSignal,
  onAddresses: (addresses: string[]) => void
): Promise<void> {
  let said = ''
  await watchObjects<Service>(api, {
    resource: SERVICES,
    namespace,
    query: { fieldSelector: `metadata.name=${name}` },
    signal,
    onObject: (_key, service) => {
      const addresses = service === undefined ? [] : outsideAddresses(service)
      if (addresses.length === 0 || said === addresses.join()) return
      said = addresses.join()
      onAddresses(addresses)
    }
  })
}

function outsideAddresses({ spec, status }: Service): string[] {
  const given = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? [])
  return (spec?.ports ?? []).flatMap(({ port, nodePort, protocol }) => {
    const udp = protocol === 'UDP' ? '/udp' : ''
    if (given.length > 0) return given.map(host => `${host.includes(':') ? `[${host}]` : host}:${port}${udp}`)
    return nodePort === undefined ? [] : [`port ${nodePort}${udp} of every node`]
  })
}
