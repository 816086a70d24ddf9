// What each command asks of the API server: the one table that the checks before a start and `kt rbac` go by.
import type { Right } from './api-error.ts'

/** One line of the table. */
export interface Need {
  group?: string
  /** `pods`, `pods/portforward`, as RBAC writes them. */
  resource: string
  verbs: readonly string[]
  /** Only then, or only for that; the command works without it. Left out: nothing works without it. */
  for?: string
}

/** Every command that stays has a pod of its own. The upgrade to a WebSocket wants `create` beside `get` from Kubernetes 1.35 on. */
const SHADOW: readonly Need[] = [
  { resource: 'pods', verbs: ['list', 'watch', 'create', 'delete'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'configmaps', verbs: ['create', 'delete'] },
  { resource: 'pods', verbs: ['patch'], for: 'its heartbeat: without it others take the pod for abandoned' },
  { resource: 'events', verbs: ['list', 'watch'], for: 'the reason when the pod does not start' }
]

const WORKLOADS: readonly Need[] = [
  { group: 'apps', resource: 'deployments', verbs: ['get'], for: 'deployment/NAME' },
  { group: 'apps', resource: 'statefulsets', verbs: ['get'], for: 'statefulset/NAME' }
]

const SCALE: readonly Need[] = [
  ...['deployments', 'statefulsets'].flatMap(resource => [
    { group: 'apps', resource, verbs: ['list'], for: '--mode scale' },
    { group: 'apps', resource: `${resource}/scale`, verbs: ['get', 'patch'], for: '--mode scale' },
    {
      group: 'apps',
      resource,
      verbs: ['watch'],
      for: 'to tell when somebody else scales what --mode scale has taken to 0'
    }
  ]),
  { group: 'autoscaling', resource: 'horizontalpodautoscalers', verbs: ['list'], for: 'the names of autoscalers' },
  { group: 'keda.sh', resource: 'scaledobjects', verbs: ['list'], for: 'the names of autoscalers' }
]

/** Of the rules of somebody else's API. */
const RULES = ['list', 'create', 'delete'] as const
/** Recovering more than an exchange. */
const MESH_RECOVERY = 'the end of a mesh'

/** To put a service back and remove what was made for it. */
const RECOVER: readonly Need[] = [
  { resource: 'services', verbs: ['list', 'get', 'patch', 'delete'] },
  { resource: 'pods', verbs: ['list', 'patch', 'delete'] },
  { resource: 'configmaps', verbs: ['list', 'delete'], for: "kt-connect's own" },
  { resource: 'configmaps', verbs: ['list', 'get', 'patch', 'delete'], for: MESH_RECOVERY },
  { group: 'apps', resource: 'deployments', verbs: ['delete'], for: MESH_RECOVERY },
  { group: 'apps', resource: 'deployments/scale', verbs: ['get', 'patch'], for: 'what an exchange has scaled down' },
  { group: 'apps', resource: 'statefulsets/scale', verbs: ['get', 'patch'], for: 'what an exchange has scaled down' },
  { resource: 'pods', verbs: ['watch'], for: 'what an exchange has scaled down' }
]

/** By command. A new one is a line here, its check and `kt rbac` follow. */
const NEEDS = {
  up: [
    ...SHADOW,
    { resource: 'services', verbs: ['list', 'watch'] },
    {
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      verbs: ['list', 'watch'],
      for: 'names of headless services and of pods'
    },
    { resource: 'services', verbs: ['create'], for: 'asking for the range of service addresses, as a dry run' }
  ],
  exchange: [
    ...SHADOW,
    { resource: 'pods', verbs: ['patch'] },
    { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
    ...WORKLOADS,
    ...SCALE,
    { resource: 'pods', verbs: ['get'], for: '--mode ephemeral' },
    { resource: 'pods/ephemeralcontainers', verbs: ['patch'], for: '--mode ephemeral' }
  ],
  mesh: [
    ...SHADOW,
    { resource: 'pods', verbs: ['patch'] },
    { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
    { resource: 'configmaps', verbs: ['get', 'list', 'patch'], for: '--mode auto' },
    { group: 'apps', resource: 'deployments', verbs: ['get', 'create', 'patch', 'delete'], for: '--mode auto' },
    { group: 'networking.istio.io', resource: 'virtualservices', verbs: RULES, for: '--apply with Istio' },
    { group: 'networking.istio.io', resource: 'destinationrules', verbs: RULES, for: '--apply with Istio' },
    { group: 'gateway.networking.k8s.io', resource: 'httproutes', verbs: RULES, for: '--apply with the Gateway API' },
    ...WORKLOADS
  ],
  preview: [
    ...SHADOW,
    { resource: 'services', verbs: ['get', 'create', 'patch', 'delete'] },
    { resource: 'services', verbs: ['list', 'watch'], for: '--external' }
  ],
  forward: [
    ...SHADOW,
    { resource: 'services', verbs: ['get'], for: 'service/NAME' },
    { resource: 'pods', verbs: ['get'], for: 'pod/NAME' },
    ...WORKLOADS
  ],
  bench: SHADOW,
  'ssh-config': SHADOW,
  recover: RECOVER,
  clean: RECOVER
} satisfies Record<string, readonly Need[]>

/** Commands that need rights. */
export type RightsCommand = keyof typeof NEEDS

export const RIGHTS_COMMANDS = Object.keys(NEEDS) as RightsCommand[]

/** With these in the whole cluster `kt up` knows the names and ranges of all namespaces. */
export const CLUSTER_WIDE: readonly Need[] = [
  { resource: 'services', verbs: ['list', 'watch'] },
  { group: 'discovery.k8s.io', resource: 'endpointslices', verbs: ['list', 'watch'] },
  { resource: 'namespaces', verbs: ['list', 'watch'] },
  { resource: 'nodes', verbs: ['list', 'watch'] },
  { group: 'networking.k8s.io', resource: 'servicecidrs', verbs: ['list', 'watch'] },
  { resource: 'pods', verbs: ['list'] }
]

/** What `command` cannot do without in `namespace`, and besides what it needs for `uses` (`Need.for`). */
export function rightsOf(command: RightsCommand, namespace: string, ...uses: string[]): Right[] {
  const needs: readonly Need[] = NEEDS[command]
  return needs
    .filter(need => need.for === undefined || uses.includes(need.for))
    .flatMap(({ group, resource: name, verbs }) => {
      const [resource = '', subresource] = name.split('/')
      return verbs.map(verb => ({ verb, resource, subresource, namespace, ...(group === undefined ? {} : { group }) }))
    })
}

/** The lines of all of `commands`, one for each resource and purpose; what is always needed comes first and is not repeated. */
export function needsOf(commands: readonly RightsCommand[]): Need[] {
  const all: readonly Need[] = commands.flatMap(command => NEEDS[command])
  const merged = new Map<string, Need>()
  for (const need of [...all.filter(need => need.for === undefined), ...all.filter(need => need.for !== undefined)]) {
    const always = merged.get(keyOf({ ...need, for: undefined }))?.verbs ?? []
    const verbs = need.verbs.filter(verb => need.for === undefined || !always.includes(verb))
    if (verbs.length === 0) continue
    const before = merged.get(keyOf(need))?.verbs ?? []
    merged.set(keyOf(need), { ...need, verbs: [...new Set([...before, ...verbs])] })
  }
  return [...merged.values()]
}

const keyOf = ({ group, resource, for: purpose }: { [K in keyof Need]: Need[K] | undefined }): string =>
  [group, resource, purpose].join()
