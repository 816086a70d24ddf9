// `kt mesh --mode manual`: the rules by which Istio, or an implementation of the Gateway API, leads requests to a shadow. Pure.
import type { Condition } from '../../router/config.ts'

/** An object of somebody else's API, as `kubectl apply` takes it. */
export interface RuleObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: object
}

/** Who leads requests. */
export type Flavour = 'istio' | 'gateway'

export interface RuleWish {
  flavour: Flavour
  namespace: string
  service: string
  /** Ports of the service that lead to the laptop. */
  ports: number[]
  /** Name of the rules, and of the service that leads to the shadow alone. */
  name: string
  match: Condition[]
  /** Where the shadow is behind the service beside the originals: the label that tells them apart. */
  subsets: { key: string; version: string; original: string } | undefined
}

/** VirtualService, and DestinationRule where subsets are needed; or one HTTPRoute. */
export function rulesOf(wish: RuleWish): RuleObject[] {
  if (wish.flavour === 'gateway') return [httpRoute(wish)]
  const { subsets } = wish
  return subsets === undefined ? [virtualService(wish)] : [destinationRule(wish, subsets), virtualService(wish)]
}

const SUBSET = { shadow: 'kt', original: 'original' }

function destinationRule(wish: RuleWish, { key, version, original }: NonNullable<RuleWish['subsets']>): RuleObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: wish.name, namespace: wish.namespace },
    spec: {
      host: hostOf(wish, wish.service),
      subsets: [
        { name: SUBSET.original, labels: { [key]: original } },
        { name: SUBSET.shadow, labels: { [key]: version } }
      ]
    }
  }
}

/** The first rule that fits wins: ours first, everything else behind it. */
function virtualService(wish: RuleWish): RuleObject {
  const { subsets, name, service } = wish
  const shadow =
    subsets === undefined ? { host: hostOf(wish, name) } : { host: hostOf(wish, service), subset: SUBSET.shadow }
  const original =
    subsets === undefined ? { host: hostOf(wish, service) } : { host: hostOf(wish, service), subset: SUBSET.original }
  const match = istioMatch(wish.match)
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name, namespace: wish.namespace },
    spec: {
      hosts: [hostOf(wish, service)],
      http: [
        ...wish.ports.map(port => ({
          name: `${name}-${port}`,
          match: [{ ...match, port }],
          route: [{ destination: { ...shadow, port: { number: port } } }]
        })),
        { name: 'original', route: [{ destination: original }] }
      ]
    }
  }
}

/** A short name would be taken for one of the rule's own namespace, which may not be the reader's. */
const hostOf = ({ namespace }: RuleWish, service: string): string => `${service}.${namespace}.svc.cluster.local`

type Maps = Record<string, Record<string, object> | object>

function istioMatch(conditions: readonly Condition[]): Maps {
  const headers: Record<string, object> = {}
  const queryParams: Record<string, object> = {}
  let uri: object | undefined
  for (const condition of conditions) {
    if ('pathPrefix' in condition) uri = { prefix: condition.pathPrefix }
    else {
      const test = 'exact' in condition ? { exact: condition.exact } : { regex: condition.regex }
      if ('header' in condition) headers[condition.header.toLowerCase()] = test
      else if ('query' in condition) queryParams[condition.query] = test
      else headers.cookie = { regex: cookiePattern(condition) }
    }
  }
  return {
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(Object.keys(queryParams).length === 0 ? {} : { queryParams }),
    ...(uri === undefined ? {} : { uri })
  }
}

function httpRoute(wish: RuleWish): RuleObject {
  const { name, service, ports, namespace } = wish
  const match = gatewayMatch(wish.match)
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace },
    spec: {
      parentRefs: ports.map(port => ({ group: '', kind: 'Service', name: service, port })),
      // The more specific match wins, whatever the order.
      rules: ports.flatMap(port => [
        { matches: [match], backendRefs: [{ name, port }] },
        { backendRefs: [{ name: service, port }] }
      ])
    }
  }
}

function gatewayMatch(conditions: readonly Condition[]): object {
  const headers: object[] = []
  const queryParams: object[] = []
  let path: object | undefined
  for (const condition of conditions) {
    if ('pathPrefix' in condition) path = { type: 'PathPrefix', value: condition.pathPrefix }
    else {
      const test =
        'exact' in condition
          ? { type: 'Exact', value: condition.exact }
          : { type: 'RegularExpression', value: condition.regex }
      if ('header' in condition) headers.push({ name: condition.header, ...test })
      else if ('query' in condition) queryParams.push({ name: condition.query, ...test })
      else headers.push({ name: 'cookie', type: 'RegularExpression', value: cookiePattern(condition) })
    }
  }
  return {
    ...(headers.length === 0 ? {} : { headers }),
    ...(queryParams.length === 0 ? {} : { queryParams }),
    ...(path === undefined ? {} : { path })
  }
}

/** One cookie among others in the header (RFC 6265 §4.2.1). */
function cookiePattern(condition: { cookie: string } & ({ exact: string } | { regex: string })): string {
  const value = 'exact' in condition ? quoted(condition.exact) : `(?:${condition.regex})`
  return `^(.*; ?)?${quoted(condition.cookie)}=${value}(;.*)?$`
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** What these rules cannot say together: one path at most, and each header once. Empty: all of it. */
export function unsayable(conditions: readonly Condition[]): string {
  const names = conditions.map(condition => {
    if ('pathPrefix' in condition) return 'path'
    if ('query' in condition) return `query ${condition.query}`
    return 'header' in condition ? `header ${condition.header.toLowerCase()}` : 'header cookie'
  })
  return names.find((name, i) => names.indexOf(name) !== i) ?? ''
}
