// Why a name has this answer: the rule that decided, where the answer came from, its records, the time. Pure.
import { type Answer, decode } from 'dns-packet'
import type { ClusterNames, ServiceRecord } from './cluster-names.ts'
import { type Question, rcodeOf, typeName } from './message.ts'
import type { Whose } from './names.ts'
import type { Answered, Source } from './server.ts'

/** One line each, in the order in which it was decided. */
export interface Step {
  step: 'rule' | 'source' | 'answer'
  text: string
}

/** Field names are stable: `kt dns --output json` prints them. */
export interface Explanation {
  name: string
  type: string
  /** What a program gets: NOERROR, NXDOMAIN, SERVFAIL, REFUSED, … */
  rcode: string
  source: Source
  steps: Step[]
  /** `name TTL type data`, TTL in seconds. */
  records: { name: string; ttl: number; type: string; data: string }[]
  ms: number
}

export interface ExplainInput {
  question: Question
  owner: Whose
  answered: Answered & { error?: string }
  names: ClusterNames
  upstreams: readonly string[]
  ms: number
}

/** The explanation of an answer that `owner` and `answered` led to. */
export function explained({ question, owner, answered, names, upstreams, ms }: ExplainInput): Explanation {
  const { rcode, answers = [] } = decode(Buffer.from(answered.bytes)) as { rcode?: string; answers?: Answer[] }
  const records = answers.filter(({ type }) => type !== 'OPT').map(recordOf)
  const result = rcode ?? String(rcodeOf(answered.bytes))
  return {
    name: question.name,
    type: typeName(question.type),
    rcode: result,
    source: answered.source,
    steps: [
      { step: 'rule', text: ruleOf(question.name, owner, names) },
      { step: 'source', text: sourceOf(owner, answered, names, upstreams) },
      { step: 'answer', text: answerOf(result, records.length, ms) }
    ],
    records,
    ms
  }
}

/** Whose a name is, in a sentence. */
export function ruleOf(name: string, owner: Whose, names: ClusterNames): string {
  const { domain } = names
  switch (owner.kind) {
    case 'included':
      return `${name} ends in ${owner.domain} (--includeDomains): the cluster's DNS answers it`
    case 'reverse':
      return `${name} asks for the name of ${owner.address}, which is the cluster's`
    case 'foreign':
      if (owner.isWay) return `${name} is the API server, or what stands before it: found as without kt`
      return name.endsWith('.arpa')
        ? `${name} asks for the name of an address that is not the cluster's: not a name of the cluster`
        : `${name} does not end in ${domain} and is no service that is known here: not a name of the cluster`
    case 'cluster':
      if (owner.suffix !== undefined)
        return `${name} ends in ${owner.suffix}: ${owner.name} of this kt, and of no other`
      return owner.name === name
        ? `${name} ends in ${domain}: a name of the cluster`
        : `${name} is short for ${owner.name}, as in a pod of namespace ${names.namespace}`
  }
}

function sourceOf(
  owner: Whose,
  { source, ageMs = 0, upstream, error }: ExplainInput['answered'],
  names: ClusterNames,
  upstreams: readonly string[]
): string {
  switch (source) {
    case 'watch':
      return `the watch of Services and EndpointSlices: ${watched(owner, names)}`
    case 'cluster':
      return "the cluster's own DNS, asked by the agent"
    case 'cache':
      return `the cluster's own DNS, asked ${(ageMs / 1000).toFixed(1)} s ago and kept`
    case 'session':
      return `another kt on this computer, at ${upstream}; kt dns --context CONTEXT asks that one for more`
    case 'upstream':
      return `${upstream}, which answered names before kt came (of ${upstreams.join(', ')})`
    case 'none':
      return error === undefined ? 'nobody is asked' : `nobody: ${error}`
  }
}

function watched(owner: Whose, names: ClusterNames): string {
  if (owner.kind !== 'cluster') return 'the address is known there'
  const [namespace, service] = [owner.below.at(-2), owner.below.at(-3)]
  if (owner.below.at(-1) !== 'svc' || namespace === undefined) return 'part of the specification'
  if (service === undefined) return `namespace ${namespace} ${names.hasNamespace(namespace) ? 'is' : 'is not'} there`
  const record = names.service(namespace, service)
  if (record === undefined) return `no service ${service} in namespace ${namespace}`
  return `service ${service} in namespace ${namespace}, ${kindOf(record)}`
}

function kindOf({ kind, addresses, endpoints, externalName }: ServiceRecord): string {
  if (kind === 'ExternalName') return `another name for ${externalName}`
  if (kind === 'ClusterIP') return `ClusterIP ${addresses.join(', ')}`
  return `headless, ${endpoints.length} ready endpoint${endpoints.length === 1 ? '' : 's'}`
}

function answerOf(rcode: string, count: number, ms: number): string {
  const what = rcode === 'NOERROR' && count === 0 ? 'NOERROR, but no record of this type' : rcode
  return `${what}${count === 0 ? '' : `, ${count} record${count === 1 ? '' : 's'}`}, after ${ms.toFixed(1)} ms`
}

function recordOf(record: Answer): Explanation['records'][number] {
  const { name, type } = record
  const ttl = 'ttl' in record ? (record.ttl ?? 0) : 0
  return { name, ttl: Number(ttl), type, data: 'data' in record ? dataOf(record.data) : '' }
}

/** As `dig +short` writes it, near enough. */
function dataOf(data: unknown): string {
  if (Array.isArray(data)) return data.map(part => JSON.stringify(String(part))).join(' ')
  if (Buffer.isBuffer(data)) return JSON.stringify(data.toString())
  if (typeof data === 'object' && data !== null) return Object.values(data).map(String).join(' ')
  return String(data)
}
