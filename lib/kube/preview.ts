// The Service of a preview: new, ours, and gone with its heartbeat.
import { KtError } from '../errors.ts'
import { statusOf } from './api-error.ts'
import type { Cluster, Service } from './client.ts'
import { CONTROL_LABEL, ROLE_LABEL, randomSuffix, TARGET_LABEL } from './names.ts'
import type { CarriedPort } from './ports.ts'
import { SERVICES } from './resource.ts'

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
