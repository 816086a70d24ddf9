// The Deployment of a mesh's routers: the agent's bundle in its other role, in pods like a shadow's which somebody makes again.
import type { ExposeConfig } from '../../tunnel/expose.ts'
import type { Deployment, Pod } from '../api/client.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, MESH_KEY, ROLE_LABEL, routerName } from '../names.ts'
import { type Exposure, MOUNT, type PodWishes, podManifest } from '../shadow/shadow-manifest.ts'
import { type Mesh, ROUTES_FILE } from './table.ts'

/** A node may go at any moment, and everybody's requests pass here. */
const REPLICAS = 2
/** lib/router/spec.md: what is being answered may end. */
const GRACE_SECONDS = 30
/** Longest name of a container port (RFC 6335 §5.1). */
const PORT_NAME_MAX = 15

export interface RouterSpec {
  mesh: Mesh
  /** The service's own selector: the routers wear it where the service is narrowed. */
  selector: Record<string, string>
  image: string
  /** Where a router's status and its sign of readiness are: beside the ports of the service. */
  agentPorts: Exposure['agentPorts']
  /** Owner and heartbeat, of the Deployment. */
  annotations: Record<string, string>
}

/** `<svc>-kt-router`. Its pods mount the ConfigMap of the mesh, which has the same name. */
export function routerManifest(router: RouterSpec, wishes: PodWishes): Deployment {
  const { mesh, selector, annotations } = router
  const name = routerName(mesh.service)
  const own = { [MESH_KEY]: mesh.token, [ROLE_LABEL]: 'router' }
  const { metadata, spec } = routerPod(name, router, wishes)
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      labels: { [CONTROL_LABEL]: 'kt', ...own },
      annotations: { ...annotations, [CONFIG_ANNOTATION]: `service=${mesh.service}` }
    },
    spec: {
      replicas: REPLICAS,
      revisionHistoryLimit: 0,
      selector: { matchLabels: { [MESH_KEY]: mesh.token } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...metadata?.labels, ...(mesh.mode === 'narrow' ? selector : {}), ...own },
          annotations: metadata?.annotations ?? {}
        },
        spec: { ...spec!, affinity: apart(mesh.token) }
      }
    }
  }
}

/** Two routers on one node would go with it. */
function apart(token: string): NonNullable<NonNullable<Pod['spec']>['affinity']> {
  const podAffinityTerm = {
    labelSelector: { matchLabels: { [MESH_KEY]: token } },
    topologyKey: 'kubernetes.io/hostname'
  }
  return { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] } }
}

/** A shadow's pod in which the agent has its other role. */
function routerPod(name: string, { mesh, image, agentPorts }: RouterSpec, wishes: PodWishes): Pod {
  const config: ExposeConfig = {
    originals: mesh.originals,
    ports: mesh.ports.map(({ port, network, original }) => ({
      port,
      network,
      to: 'originals',
      original,
      fallback: true
    }))
  }
  const portNames = mesh.ports.filter(({ name }) => name !== '' && name.length <= PORT_NAME_MAX)
  const exposure = { prefix: name, role: 'router', config, agentPorts, portNames } as const
  const { metadata, spec } = podManifest(name, { ...wishes, image, agent: '', publicKey: '', exposure })
  const env = [
    { name: 'KT_ROLE', value: 'router' },
    { name: 'KT_ROUTES', value: `${MOUNT}/${ROUTES_FILE}` },
    { name: 'KT_LISTEN', value: String(agentPorts.session) },
    { name: 'KT_READY', value: String(agentPorts.ready) }
  ]
  // A Deployment's pods are not found by kt's label: kt-connect would take each of them for a shadow without a heartbeat.
  const { [CONTROL_LABEL]: _control, ...labels } = metadata?.labels ?? {}
  const { 'linkerd.io/inject': linkerd = '', 'sidecar.istio.io/inject': istio = '' } = metadata?.annotations ?? {}
  return {
    metadata: {
      labels,
      annotations: { ...wishes.annotations, 'linkerd.io/inject': linkerd, 'sidecar.istio.io/inject': istio }
    },
    spec: {
      ...spec!,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: GRACE_SECONDS,
      containers: spec!.containers.map(container => ({ ...container, env }))
    }
  }
}
