// One question, one answer: from the watch, from the cluster's DNS, or from the resolvers that were there before.
import { type Answer, decode, encode, RECURSION_DESIRED } from 'dns-packet'
import { dnsTrace } from '../trace.ts'
import { answerFromWatch, answerReverse, empty, type FromWatch } from './answer.ts'
import { AnswerCache } from './cache.ts'
import type { ClusterNames } from './cluster-names.ts'
import { type Explanation, explained, ruleOf } from './explain.ts'
import { Forwarder, type Transport } from './forward.ts'
import {
  addressesIn,
  CLASS_IN,
  isAnswer,
  type Question,
  RCODE,
  rcodeOf,
  readQuestion,
  TYPE,
  typeName,
  typeNumber
} from './message.ts'
import { isProxyDiscovery, type Whose, whose } from './names.ts'
import { type Reply, replyTo, UDP_BYTES, udpLimit, writeRcode, writeReply, writeTruncated } from './reply.ts'

/** RFC 1035 §3.1: labels of 1 to 63 bytes, 253 characters in all. */
const isName = (name: string): boolean => name.length <= 254 && /^([^.]{1,63}\.)*[^.]{1,63}\.?$/.test(name)
/** The cluster's DNS may take this long: whoever asks us waits for 5 s (resolv.conf(5), "timeout"). */
const CLUSTER_LIMIT_MS = 4000
/** ExternalNames that lead to ExternalNames; CoreDNS stops after 8 too. */
const CHASE_MAX = 8
/** Over TCP a message is as long as its length field allows. */
const TCP_BYTES = 65_535
/** Questions under way; a further one is not answered, which is what UDP does under load. */
const UNDER_WAY_MAX = 1024

export interface ResolverOptions {
  names: ClusterNames
  /** Ask the cluster's DNS: a raw question in, the raw answer out. May reject or hang. */
  cluster(message: Uint8Array): Promise<Uint8Array>
  /** Who answers all other names: addresses, `address:port`, `[address]:port`; never our own. */
  upstreams?: readonly string[]
  /** True for an address that is reached through the tunnel: its reverse lookups are the cluster's. */
  isClusterAddress?(address: string): boolean
  /** Told of every address in an answer about a cluster name. */
  learned?(address: string): void
  /** Longest time that an answer of the cluster's DNS is kept, in seconds; 0 keeps none. */
  cacheTtlMaxS?: number | undefined
  /** Further domains whose names the cluster's DNS is asked for, lower case, without dots at their ends. */
  includeDomains?: readonly string[] | undefined
}

export type Source = 'watch' | 'cluster' | 'cache' | 'upstream' | 'none'
export interface Answered {
  bytes: Uint8Array
  source: Source
  /** For `cache`: since when it is kept, in milliseconds. */
  ageMs?: number | undefined
  /** For `upstream`: which one has answered. */
  upstream?: string
}

export class Resolver {
  readonly #names: ClusterNames
  readonly #cluster: (message: Uint8Array) => Promise<Uint8Array>
  readonly #isClusterAddress: (address: string) => boolean
  readonly #learned: (address: string) => void
  readonly #cache: AnswerCache
  readonly #forwarder: Forwarder
  readonly #includeDomains: readonly string[]
  #underWay = 0

  constructor(options: ResolverOptions) {
    this.#names = options.names
    this.#cluster = options.cluster
    this.#isClusterAddress = options.isClusterAddress ?? (() => false)
    this.#learned = options.learned ?? (() => {})
    this.#cache = new AnswerCache(options.cacheTtlMaxS === undefined ? {} : { ttlMaxS: options.cacheTtlMaxS })
    this.#forwarder = new Forwarder(options.upstreams ?? [])
    this.#includeDomains = options.includeDomains ?? []
  }

  /** Known only after the laptop's own resolver was read: may be set late, and again. */
  set upstreams(upstreams: readonly string[]) {
    this.#forwarder.upstreams = upstreams
  }

  /** The answer to a raw message, at most 1,232 bytes over UDP; undefined if it is no question. Never rejects. */
  async answer(message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> {
    const question = readQuestion(message)
    if (question === undefined || this.#underWay >= UNDER_WAY_MAX) return undefined
    if (typeof question === 'number') return writeRcode(message, undefined, question)
    const began = dnsTrace.hasSubscribers ? performance.now() : 0
    this.#underWay++
    let answered: Answered
    try {
      answered = await this.#answer(message, question, transport)
    } catch {
      answered = { bytes: writeRcode(message, question, RCODE.SERVFAIL), source: 'none' }
    } finally {
      this.#underWay--
    }
    const { bytes, source } = answered
    if (dnsTrace.hasSubscribers) {
      const { name, type } = question
      dnsTrace.publish({
        name,
        type: typeName(type),
        source,
        rcode: rcodeOf(bytes),
        ms: performance.now() - began,
        addresses: addressesIn(bytes),
        why: ruleOf(name, this.#whose(name), this.#names)
      })
    }
    return bytes
  }

  /** Answer as for a program, and tell by which rule, from where and how fast. Undefined: the name or the type is none. */
  async explain(name: string, type: string): Promise<Explanation | undefined> {
    const number = typeNumber(type)
    if (number === undefined || !isName(name)) return undefined
    const message = questionFor(name.replace(/\.$/, ''), number)
    const question = readQuestion(message)
    if (typeof question !== 'object') return undefined
    const began = performance.now()
    const answered = await this.#answer(message, question, 'tcp').catch(
      (error: Error): Answered & { error: string } => ({
        bytes: writeRcode(message, question, RCODE.SERVFAIL),
        source: 'none',
        error: error.message
      })
    )
    const owner = this.#whose(question.name)
    const upstreams = this.#forwarder.upstreams
    return explained({ question, owner, answered, names: this.#names, upstreams, ms: performance.now() - began })
  }

  async #answer(message: Uint8Array, question: Question, transport: Transport): Promise<Answered> {
    const owner = this.#whose(question.name)
    if (owner.kind === 'foreign') {
      if (this.#forwarder.cameBack(question.name)) {
        return { bytes: writeRcode(message, question, RCODE.REFUSED), source: 'none' }
      }
      const { answer, upstream } = await this.#forwarder.askWho(message, transport)
      return { bytes: answer, source: 'upstream', upstream }
    }
    if (question.class !== CLASS_IN) return { bytes: writeRcode(message, question, RCODE.REFUSED), source: 'none' }
    // RFC 6891 §6.1.3.
    if ((question.edns?.version ?? 0) > 0) {
      return { bytes: writeRcode(message, question, RCODE.BADVERS), source: 'none' }
    }
    const limit = transport === 'tcp' ? TCP_BYTES : udpLimit(question)
    const found = this.#find(owner, question)
    if (found === 'ask') return this.#relay(message, question, owner, limit)
    const reply = await this.#complete(found, question.type, CHASE_MAX)
    renameOwner(reply.answers, owner.kind === 'cluster' ? owner.name : '', question.name)
    for (const { type, data } of [...reply.answers, ...reply.additionals] as { type: string; data: unknown }[]) {
      if ((type === 'A' || type === 'AAAA') && typeof data === 'string') this.#learned(data)
    }
    return { bytes: writeReply(message, question, reply, limit), source: 'watch' }
  }

  #whose(name: string): Whose {
    return whose(name, this.#names, this.#isClusterAddress, this.#includeDomains)
  }

  #find(owner: Whose, question: Question): FromWatch {
    if (owner.kind === 'reverse') return this.#reverse(owner.address, question)
    if (owner.kind === 'cluster') return this.#watched(owner, question)
    const isProxy = isProxyDiscovery(question.name.split('.'))
    return isProxy ? { reply: empty(RCODE.NXDOMAIN, this.#names.domain) } : 'ask'
  }

  #watched({ below }: Whose & { kind: 'cluster' }, { type }: Question): FromWatch {
    const found = answerFromWatch(this.#names, below, type)
    const mayAsk = found === 'ask' && !isProxyDiscovery(below)
    return found === 'ask' && !mayAsk ? { reply: empty(RCODE.NXDOMAIN, this.#names.domain) } : found
  }

  #reverse(address: string, { type, name }: Question): FromWatch {
    if (type !== TYPE.PTR) return 'ask'
    const reply = answerReverse(this.#names.reverse?.(address) ?? [], name, this.#names.domain)
    return reply === undefined ? 'ask' : { reply }
  }

  /** The reply of the watch, with the records that an ExternalName leads to. */
  async #complete(found: Exclude<FromWatch, 'ask'>, type: number, depth: number): Promise<Reply> {
    const { reply, chase } = found
    if (chase === undefined || depth === 0) return reply
    const target = whose(chase, this.#names, () => false)
    const isOurs = target.kind === 'cluster' && target.name === chase
    const next = isOurs ? answerFromWatch(this.#names, target.below, type) : 'ask'
    try {
      const more =
        next === 'ask' ? await this.#askFor(chase, type) : (await this.#complete(next, type, depth - 1)).answers
      // As CoreDNS: a target in the cluster without such records leaves nothing, any other its CNAME.
      if (isOurs && more.length === 0) return empty(RCODE.NOERROR, this.#names.domain)
      return { ...reply, answers: [...reply.answers, ...more] }
    } catch {
      return reply // the CNAME alone when nobody can resolve its target
    }
  }

  /** The question itself to the cluster's DNS. A short name becomes the full one, and the short one again in the answer. */
  async #relay(message: Uint8Array, question: Question, owner: Whose, limit: number): Promise<Answered> {
    const isShort = owner.kind === 'cluster' && owner.name !== question.name
    if (isShort) {
      const answers = await this.#askRaw(questionFor(owner.name, question.type))
      const reply = replyFrom(answers.answer)
      renameOwner(reply.answers, owner.name, question.name)
      return from(answers.ageMs, writeReply(message, question, reply, limit))
    }
    const { answer, ageMs } = await this.#askRaw(message)
    const bytes = answer.length > limit ? writeTruncated(message, question) : replyTo(message, question, answer)
    return from(ageMs, bytes)
  }

  async #askFor(name: string, type: number): Promise<Answer[]> {
    return replyFrom((await this.#askRaw(questionFor(name, type))).answer).answers
  }

  async #askRaw(message: Uint8Array): Promise<{ answer: Uint8Array; ageMs: number | undefined }> {
    const question = Uint8Array.from(message)
    question.set([0, 0]) // the id is not part of the question
    const key = Buffer.from(question).toString('latin1')
    const found = await this.#cache.get(key, async () => {
      const answer = await within(CLUSTER_LIMIT_MS, this.#cluster(question))
      if (!isAnswer(answer)) throw new Error('what came from the cluster is no answer')
      return answer
    })
    for (const address of addressesIn(found.answer)) this.#learned(address)
    return found
  }
}

function from(ageMs: number | undefined, bytes: Uint8Array): Answered {
  return { bytes, source: ageMs === undefined ? 'cluster' : 'cache', ageMs }
}

function questionFor(name: string, type: number): Uint8Array {
  const opt: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_BYTES,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: []
  }
  return encode({
    type: 'query',
    id: 0,
    flags: RECURSION_DESIRED,
    questions: [{ name, type: typeName(type) as 'A' }],
    additionals: [opt]
  })
}

/** Throws for an answer that cannot be read. */
function replyFrom(answer: Uint8Array): Reply {
  const { answers = [], authorities = [], additionals = [] } = decode(Buffer.from(answer))
  return { rcode: rcodeOf(answer), answers, authorities, additionals: additionals.filter(({ type }) => type !== 'OPT') }
}

function renameOwner(records: Answer[], from: string, to: string): void {
  for (const record of records) if (record.name.toLowerCase() === from) record.name = to
}

async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
