// What an exchange changes of a Service and how that is undone, as merge patches. Pure; kubernetes.md of the design calls the
// two ways narrowing (one more key in the selector) and replacing (the original kept in an annotation).
import type { Pod, Service } from '../api/client.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, EXCHANGE_KEY, MESH_KEY, SELECTOR_ANNOTATION } from '../names.ts'
import { OWNER_ANNOTATIONS } from './owner.ts'
import { servicesOf } from './target.ts'

type Selector = Record<string, string>
type Nullable = Record<string, string | null>

export type SelectorMode = 'narrow' | 'replace'

/** Written by kt-connect while it changes a service. */
export const LOCK_ANNOTATION = 'kt-lock'

/** What can be read off a Service. */
export type ExchangeState =
  | { kind: 'plain' }
  | { kind: 'exchanged' | 'meshed'; token: string; mode: SelectorMode }
  /** kt-connect has it, or was changing it when it ended. */
  | { kind: 'kt-connect'; selector: Selector | undefined; target: string; role: string }

export function exchangeState({ metadata, spec }: Service): ExchangeState {
  const annotations = metadata?.annotations
  const mode = annotations?.[SELECTOR_ANNOTATION] === undefined ? 'narrow' : 'replace'
  const { [EXCHANGE_KEY]: exchanged, [MESH_KEY]: meshed } = spec?.selector ?? {}
  if (exchanged !== undefined) return { kind: 'exchanged', token: exchanged, mode }
  if (meshed !== undefined) return { kind: 'meshed', token: meshed, mode }
  const target = spec?.selector?.['kt-target'] ?? ''
  const stored = annotations?.[SELECTOR_ANNOTATION]
  const labelled = [EXCHANGE_KEY, MESH_KEY].some(key => metadata?.labels?.[key] !== undefined)
  if (!labelled && (stored !== undefined || annotations?.[LOCK_ANNOTATION]))
    return { kind: 'kt-connect', selector: readSelector(stored), target, role: spec?.selector?.['kt-role'] ?? '' }
  return { kind: 'plain' }
}

/** The same keys and values, in whatever order. */
export function sameSelector(a: Selector, b: Selector): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}

/** The selector without what kt has done to it. */
export function originalSelector(service: Service): Selector {
  const { [EXCHANGE_KEY]: exchanged, [MESH_KEY]: meshed, ...rest } = service.spec?.selector ?? {}
  // Where a manifest was applied again over a replaced selector, what it says is newer than what we kept.
  if ((exchanged ?? meshed) === undefined || Object.keys(rest).length > 0) return rest
  return readSelector(service.metadata?.annotations?.[SELECTOR_ANNOTATION]) ?? {}
}

/**
 * How to divert `service`. Narrowing survives a manifest that is applied again and needs no memory for its undo, but the
 * shadow then wears the service's labels: not where somebody would adopt and end it for that (unless it has an owner: then
 * it is not `adoptable`), or lead other traffic to it.
 */
export function chooseMode(
  service: Service,
  pods: readonly Pod[],
  services: readonly Service[],
  { adoptable = true } = {}
): { mode: SelectorMode; reason: string } {
  const selector = originalSelector(service)
  if ('pod-template-hash' in selector)
    return { mode: 'replace', reason: 'its selector names one revision of a Deployment' }
  const others = servicesOf(selector, services)
    .map(({ metadata }) => metadata?.name ?? '')
    .filter(name => name !== service.metadata?.name)
  if (others.length > 0)
    return { mode: 'replace', reason: `service ${others.join(', ')} would otherwise lead to the laptop, too` }
  const jealous = adoptable ? pods.map(jealousOwner).find(owner => owner !== undefined) : undefined
  if (jealous !== undefined) return { mode: 'replace', reason: jealous }
  if (pods.length === 0) return { mode: 'replace', reason: 'there are no pods behind it' }
  return { mode: 'narrow', reason: '' }
}

/** Why a further pod with the labels of `pod` would not live: its owner counts pods by labels alone. */
function jealousOwner({ metadata }: Pod): string | undefined {
  if (metadata?.labels?.[CONTROL_LABEL] === 'kt') return undefined
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller)
  if (owner === undefined) return 'its pods belong to no workload'
  // The hash is what a Deployment adds to the selector of its ReplicaSet; a bare one has none.
  if (owner.kind === 'ReplicaSet' && metadata?.labels?.['pod-template-hash'] !== undefined) return undefined
  return owner.kind === 'StatefulSet' ? undefined : `its pods belong to a ${owner.kind}`
}

export interface Diversion {
  /** The extra key: default that of an exchange. */
  key?: typeof EXCHANGE_KEY | typeof MESH_KEY
  mode: SelectorMode
  /** Value of the extra key, which only our shadow has. */
  token: string
  /** The owner's. */
  annotations: Record<string, string>
}

/** The one write that diverts the service as it is in `service`: another version of it is refused by the API server (409). */
export function divertPatch(service: Service, { key = EXCHANGE_KEY, mode, token, annotations }: Diversion): object {
  const original = originalSelector(service)
  const gone = mode === 'replace' ? nulls(Object.keys(original)) : {}
  return {
    metadata: {
      resourceVersion: service.metadata?.resourceVersion,
      // Not kt-connect's `control-by`: its `clean` would take the service for an object of kt and delete it.
      labels: { [key]: token },
      annotations: {
        ...annotations,
        [CONFIG_ANNOTATION]: `service=${service.metadata?.name},mode=${mode}`,
        [SELECTOR_ANNOTATION]: mode === 'replace' ? JSON.stringify(original) : null
      }
    },
    spec: { selector: { ...gone, [key]: token } }
  }
}

/** Back to what it was; undefined when there is nothing of kt in it. */
export function restorePatch(service: Service): object | undefined {
  const state = exchangeState(service)
  const current = service.spec?.selector ?? {}
  const { labels, annotations } = service.metadata ?? {}
  const keys = [EXCHANGE_KEY, MESH_KEY].filter(key => current[key] !== undefined || labels?.[key] !== undefined)
  const traces = OURS.some(key => annotations?.[key] !== undefined) || keys.length > 0
  if (state.kind === 'plain' && !traces) return undefined
  const selector: Nullable =
    state.kind === 'kt-connect'
      ? state.selector === undefined
        ? {}
        : { ...nulls(Object.keys(current)), ...state.selector }
      : { ...originalSelector(service), ...nulls(keys) }
  return {
    metadata: {
      resourceVersion: service.metadata?.resourceVersion,
      labels: nulls(keys),
      annotations: nulls(OURS)
    },
    ...(service.spec?.selector === undefined ? {} : { spec: { selector } })
  }
}

const OURS: readonly string[] = [...OWNER_ANNOTATIONS, CONFIG_ANNOTATION, SELECTOR_ANNOTATION, LOCK_ANNOTATION]

function nulls(keys: readonly string[]): Nullable {
  return Object.fromEntries(keys.map(key => [key, null]))
}

/** A selector out of an annotation; undefined for anything else, which must not become a selector. */
function readSelector(text: string | undefined): Selector | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return undefined
    return Object.values(value).every(item => typeof item === 'string') ? (value as Selector) : undefined
  } catch {
    return undefined
  }
}
