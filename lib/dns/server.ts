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
  replaceAddresses,
  TYPE,
  typeName,
  typeNumber
} from './message.ts'
import { isProxyDiscovery, reverseName, type Whose, whose, whoseBelow } from './names.ts'
import { Peers } from './peers.ts'
import { type Reply, replyTo, UDP_BYTES, udpLimit, writeRcode, writeReply, writeTruncated } from './reply.ts'
import { suffixed } from './suffix.ts'

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
  /**
   * The API server, and a proxy or jump host before it: names that are answered as without kt, because a lost way to the cluster cannot be
   * found again through it.
   */
  way?: readonly string[] | undefined
  /** Names below this domain mean this session and no other on this computer. */
  suffix?: string | undefined
  /** Between the cluster's addresses and those by which programs here reach them; default: they are the same. */
  addresses?: { toVirtual(address: string): string; toReal(address: string): string } | undefined
}

export type Source = 'watch' | 'cluster' | 'cache' | 'session' | 'upstream' | 'none'
export interface Answered {
  bytes: Uint8Array
  source: Source
  /** For `cache`: since when it is kept, in milliseconds. */
  ageMs?: number | undefined
  /** For `upstream` and `session`: which one has answered. */
  upstream?: string
}

type Owned = Exclude<Whose, { kind: 'foreign' }>

export class Resolver {
  readonly #names: ClusterNames
  readonly #cluster: (message: Uint8Array) => Promise<Uint8Array>
  readonly #isClusterAddress: (address: string) => boolean
  readonly #learned: (address: string) => void
  readonly #cache: AnswerCache
  readonly #forwarder: Forwarder
  readonly #includeDomains: readonly string[]
  readonly #way: ReadonlySet<string>
  readonly #suffix: string | undefined
  readonly #addresses: ResolverOptions['addresses']
  readonly #peers = new Peers()
  #underWay = 0

  constructor(options: ResolverOptions) {
    this.#names = options.names
    this.#cluster = options.cluster
    this.#isClusterAddress = options.isClusterAddress ?? (() => false)
    this.#learned = options.learned ?? (() => {})
    this.#cache = new AnswerCache(options.cacheTtlMaxS === undefined ? {} : { ttlMaxS: options.cacheTtlMaxS })
    this.#forwarder = new Forwarder(options.upstreams ?? [])
    this.#includeDomains = options.includeDomains ?? []
    this.#way = new Set(options.way?.map(host => host.toLowerCase().replace(/\.$/, '')))
    this.#suffix = options.suffix
    this.#addresses = options.addresses
  }

  /** Known only after the laptop's own resolver was read: may be set late, and again. */
  set upstreams(upstreams: readonly string[]) {
    this.#forwarder.upstreams = upstreams
  }

  /** Other sessions, which are asked for names that this one does not have: `address:port`. */
  set peers(addresses: readonly string[]) {
    this.#peers.addresses = addresses
  }

  /** For another session: only what is the cluster's is answered, all else is refused. */
  readonly own = {
    answer: (message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> =>
      this.#reply(message, transport, (...asked) => this.#answerOwn(...asked))
  }

  /** The answer to a raw message, at most 1,232 bytes over UDP; undefined if it is no question. Never rejects. */
  answer(message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> {
    return this.#reply(message, transport, (...asked) => this.#answer(...asked))
  }

  async #reply(
    message: Uint8Array,
    transport: Transport,
    find: (message: Uint8Array, question: Question, transport: Transport) => Promise<Answered>
  ): Promise<Uint8Array | undefined> {
    const question = readQuestion(message)
    if (question === undefined || this.#underWay >= UNDER_WAY_MAX) return undefined
    if (typeof question === 'number') return writeRcode(message, undefined, question)
    const began = dnsTrace.hasSubscribers ? performance.now() : 0
    this.#underWay++
    let answered: Answered
    try {
      answered = await find(message, question, transport)
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
    const own = owner.kind === 'foreign' ? undefined : await this.#answerOwn(message, question, transport)
    const isSure = own !== undefined && (rcodeOf(own.bytes) !== RCODE.NXDOMAIN || ('suffix' in owner && owner.suffix))
    if (isSure) return own
    const isWay = owner.kind === 'foreign' && owner.isWay
    const theirs = isWay ? undefined : await this.#peers.ask(message, transport)
    if (theirs !== undefined) return { bytes: theirs.answer, source: 'session', upstream: theirs.peer }
    if (own !== undefined) return own
    if (this.#forwarder.cameBack(question.name)) {
      return { bytes: writeRcode(message, question, RCODE.REFUSED), source: 'none' }
    }
    const { answer, upstream } = await this.#forwarder.askWho(message, transport)
    return { bytes: answer, source: 'upstream', upstream }
  }

  /** What is not the cluster's is refused. */
  async #answerOwn(message: Uint8Array, question: Question, transport: Transport): Promise<Answered> {
    const owner = this.#whose(question.name)
    if (owner.kind === 'foreign' || question.class !== CLASS_IN) {
      return { bytes: writeRcode(message, question, RCODE.REFUSED), source: 'none' }
    }
    // RFC 6891 §6.1.3.
    if ((question.edns?.version ?? 0) > 0) {
      return { bytes: writeRcode(message, question, RCODE.BADVERS), source: 'none' }
    }
    const answered = await this.#answerCluster(
      message,
      question,
      owner,
      transport === 'tcp' ? TCP_BYTES : udpLimit(question)
    )
    const addresses = this.#addresses
    if (addresses !== undefined) replaceAddresses(answered.bytes, address => addresses.toVirtual(address))
    return answered
  }

  async #answerCluster(message: Uint8Array, question: Question, owner: Owned, limit: number): Promise<Answered> {
    const found = this.#find(owner, question)
    if (found === 'ask') return this.#relay(message, question, owner, limit)
    const reply = await this.#complete(found, question.type, CHASE_MAX)
    for (const { type, data } of [...reply.answers, ...reply.additionals] as { type: string; data: unknown }[]) {
      if ((type === 'A' || type === 'AAAA') && typeof data === 'string') this.#learned(data)
    }
    return { bytes: writeReply(message, question, this.#asAsked(reply, owner, question), limit), source: 'watch' }
  }

  /** The records with the names by which they were asked for. */
  #asAsked(reply: Reply, { name, suffix }: Owned, question: Question): Reply {
    renameOwner(reply.answers, name, question.name)
    return suffix === undefined ? reply : suffixed(reply, [this.#names.domain, ...this.#includeDomains], suffix)
  }

  #whose(name: string): Whose {
    if (this.#way.has(name)) return { kind: 'foreign', isWay: true }
    const below = this.#suffix && whoseBelow(this.#suffix, name, this.#names, this.#includeDomains)
    if (below) return below
    const owner = whose(name, this.#names, this.#isClusterAddress, this.#includeDomains)
    if (owner.kind !== 'reverse' || this.#addresses === undefined) return owner
    const address = this.#addresses.toReal(owner.address)
    if (address === owner.address || this.#suffix === undefined) return owner
    return { kind: 'reverse', name: reverseName(address) ?? name, address, suffix: this.#suffix }
  }

  #find(owner: Owned, question: Question): FromWatch {
    if (owner.kind === 'reverse') return this.#reverse(owner, question)
    if (owner.kind === 'cluster') return this.#watched(owner, question)
    const isProxy = isProxyDiscovery(question.name.split('.'))
    return isProxy ? { reply: empty(RCODE.NXDOMAIN, this.#names.domain) } : 'ask'
  }

  #watched({ below }: Whose & { kind: 'cluster' }, { type }: Question): FromWatch {
    const found = answerFromWatch(this.#names, below, type)
    const mayAsk = found === 'ask' && !isProxyDiscovery(below)
    return found === 'ask' && !mayAsk ? { reply: empty(RCODE.NXDOMAIN, this.#names.domain) } : found
  }

  #reverse({ address, name }: Whose & { kind: 'reverse' }, { type }: Question): FromWatch {
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
  async #relay(message: Uint8Array, question: Question, owner: Owned, limit: number): Promise<Answered> {
    if (owner.name !== question.name) {
      const answers = await this.#askRaw(questionFor(owner.name, question.type))
      const reply = this.#asAsked(replyFrom(answers.answer), owner, question)
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
