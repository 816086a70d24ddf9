// Who does what in a namespace, read off the objects that kt and kt-connect make. Pure but for the clock of `ownerOf`.
import type { Pod, Service } from '../api/client.ts'
import { meshIn } from '../mesh/store.ts'
import { CONTROL_LABEL, ROLE_LABEL, stuntmanName } from '../names.ts'
import { exchangeState } from './exchange-plan.ts'
import { type Owner, ownerOf } from './owner.ts'
import { configOf, type Remains } from './recover.ts'

export type ServiceState = 'normal' | 'exchanged' | 'meshed' | 'previewing'

/** One person's part. Field names are stable: `kt birdseye --output json` prints them. */
export interface Participant {
  user: string
  host: string
  /** Pod of the shadow, or empty when it is gone. */
  pod: string
  /** RFC 3339, or empty. */
  since: string
  /** Seconds since the last sign of life; null when there was none. */
  silentSeconds: number | null
  /** Of a mesh, else empty. */
  version: string
}

export interface SeenService {
  service: string
  state: ServiceState
  /** `auto` or `manual` for a mesh; `kt-connect` for an exchange of that tool; else empty. */
  mode: string
  by: Participant[]
}

export interface Birdseye {
  services: SeenService[]
  /** Who is connected to the cluster by this namespace. */
  connectors: Participant[]
}

/** Services by name, kt's helpers left out; a preview is a service like any other. */
export function birdseye(remains: Remains): Birdseye {
  const shadows = remains.pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
  return {
    services: remains.services
      .filter(service => !isHelper(service))
      .map(service => seen(service, shadows, remains))
      .sort((a, b) => a.service.localeCompare(b.service)),
    connectors: shadows
      .filter(pod => roleOf(pod) === 'shadow-connect' && pod.status?.phase !== 'Succeeded')
      .map(pod => participant(pod, undefined))
  }
}

function seen(service: Service, shadows: Pod[], remains: Remains): SeenService {
  const name = service.metadata?.name ?? ''
  const own = shadows.filter(pod => belongs(pod, name))
  const stuntman = remains.services.find(({ metadata }) => metadata?.name === stuntmanName(name))
  const by = (role: string): Participant[] =>
    own.filter(pod => roleOf(pod) === role).map(pod => participant(pod, stuntman))
  if (service.metadata?.labels?.[CONTROL_LABEL] === 'kt')
    return { service: name, state: 'previewing', mode: '', by: by('shadow-preview') }
  const state = exchangeState(service)
  const mesh = meshOf(name, shadows, remains)
  if (mesh !== undefined) return { service: name, state: 'meshed', mode: 'auto', by: mesh }
  const meshers = by('shadow-mesh')
  const routed = own.some(pod => roleOf(pod) === 'router') || (state.kind === 'kt-connect' && state.role === 'router')
  if (meshers.length > 0 || routed)
    return { service: name, state: 'meshed', mode: routed ? 'auto' : 'manual', by: meshers }
  const exchangers = by('shadow-exchange')
  if (state.kind === 'plain' && exchangers.length === 0) return { service: name, state: 'normal', mode: '', by: [] }
  const holder = exchangers.length > 0 ? exchangers : [participant(stuntman ?? service, undefined)]
  return { service: name, state: 'exchanged', mode: state.kind === 'kt-connect' ? 'kt-connect' : '', by: holder }
}

/** Who takes part in a mesh of ours stands in its ConfigMap; undefined without one. */
function meshOf(service: string, shadows: Pod[], { configMaps }: Remains): Participant[] | undefined {
  const stored = configMaps.map(meshIn).find(each => each?.mesh.service === service)
  return stored?.mesh.participants.map(each => {
    const silent = stored.silentSeconds(each)
    return {
      user: each.user,
      host: each.host,
      pod: each.pod,
      since: shadows.find(({ metadata }) => metadata?.name === each.pod)?.metadata?.creationTimestamp ?? '',
      silentSeconds: Number.isFinite(silent) ? silent : null,
      version: each.version
    }
  })
}

/** Made for another service: it is no part of the picture. */
function isHelper({ metadata }: Service): boolean {
  return metadata?.labels?.[CONTROL_LABEL] === 'kt' && /-kt-(stuntman|mesh-[^/]+)$/.test(metadata.name ?? '')
}

const roleOf = ({ metadata }: Pod): string => metadata?.labels?.[ROLE_LABEL] ?? ''

function belongs(pod: Pod, service: string): boolean {
  const [, stem] = /^(.+?)-kt-(?:exchange-[a-z]{5}|mesh-.+|router|[a-z]{5})$/.exec(pod.metadata?.name ?? '') ?? []
  // kt-connect's mesh names its own helper service there.
  const named = configOf(pod, 'service')?.replace(/-kt-mesh-.+$/, '')
  return (named ?? stem) === service
}

/** Whoever made an object; the fresher heartbeat of it and of its stuntman counts. */
function participant({ metadata }: Pod | Service, stuntman: Service | undefined): Participant {
  const owner: Owner = ownerOf(metadata?.annotations)
  const silent = Math.min(owner.silentSeconds, ownerOf(stuntman?.metadata?.annotations).silentSeconds)
  const name = metadata?.name ?? ''
  return {
    user: owner.user,
    host: owner.host,
    pod: metadata?.labels?.[ROLE_LABEL] === undefined ? '' : name,
    since: metadata?.creationTimestamp ?? '',
    silentSeconds: Number.isFinite(silent) ? silent : null,
    version: /-kt-mesh-(.+)$/.exec(name)?.[1] ?? ''
  }
}
