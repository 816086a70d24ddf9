// Which packets a capture keeps: the words of tcpdump that matter here, and names of the cluster. Pure.
import { KtError } from '../errors.ts'
import { covers } from '../host/plan.ts'

/** What a filter looks at. Ports are 0 where there are none. */
export interface PacketFacts {
  network: 'tcp' | 'udp' | 'icmp' | 'other'
  source: string
  destination: string
  sourcePort: number
  destinationPort: number
}

export type Filter = (packet: PacketFacts) => boolean

/** Words of one filter; a person types it. */
const WORDS_MAX = 100

/**
 * `host X`, `net RANGE`, `port N`, `tcp`, `udp`, `icmp`, with `src` or `dst` before one of them, joined by `and`, `or`, `not` and brackets;
 * `nameOf` gives what an address is called. Throws KT_USAGE.
 */
export function parseFilter(text: string, nameOf: (address: string) => string | undefined): Filter {
  const words = text.replace(/[()!]/g, ' $& ').trim().split(/\s+/).filter(Boolean)
  if (words.length === 0) return () => true
  if (words.length > WORDS_MAX) throw wrong(text, `it has more than ${WORDS_MAX} words`)
  const parser = new Parser(text, words, nameOf)
  const filter = parser.or()
  if (parser.word !== undefined) throw wrong(text, `"${parser.word}" is not expected there`)
  return filter
}

class Parser {
  readonly #text: string
  readonly #words: string[]
  readonly #nameOf: (address: string) => string | undefined
  #at = 0

  constructor(text: string, words: string[], nameOf: (address: string) => string | undefined) {
    this.#text = text
    this.#words = words
    this.#nameOf = nameOf
  }

  get word(): string | undefined {
    return this.#words[this.#at]
  }

  or(): Filter {
    const parts = [this.#and()]
    while (this.#take('or', '||')) parts.push(this.#and())
    return packet => parts.some(part => part(packet))
  }

  #and(): Filter {
    const parts = [this.#not()]
    while (this.#take('and', '&&')) parts.push(this.#not())
    return packet => parts.every(part => part(packet))
  }

  #not(): Filter {
    if (this.#take('not', '!')) {
      const part = this.#not()
      return packet => !part(packet)
    }
    if (!this.#take('(')) return this.#primary()
    const inner = this.or()
    if (!this.#take(')')) throw wrong(this.#text, 'a bracket is not closed')
    return inner
  }

  #primary(): Filter {
    const kind = this.word
    if (kind === 'tcp' || kind === 'udp' || kind === 'icmp') {
      this.#at++
      // `tcp port 80`, as tcpdump has it.
      const rest = /^(src|dst|host|net|port)$/.test(this.word ?? '') ? this.#primary() : () => true
      return packet => packet.network === kind && rest(packet)
    }
    const side = this.#take('src') ? 'source' : this.#take('dst') ? 'destination' : 'both'
    if (this.#take('port')) return this.#port(side)
    if (this.#take('net')) return this.#net(side)
    if (this.#take('host') || side !== 'both') return this.#host(side)
    throw wrong(this.#text, kind === undefined ? 'something is missing at its end' : `"${kind}" is not known`)
  }

  #port(side: Side): Filter {
    const value = this.#value('a port')
    if (!/^\d{1,5}$/.test(value)) throw wrong(this.#text, `"${value}" is no port`)
    const port = Number(value)
    return onSide(
      side,
      packet => packet.sourcePort === port,
      packet => packet.destinationPort === port
    )
  }

  #net(side: Side): Filter {
    const cidr = this.#value('a range')
    const ranges = [{ cidr }]
    if (!/^[\da-f.:]+(\/\d{1,3})?$/i.test(cidr)) throw wrong(this.#text, `"${cidr}" is no range`)
    return onSide(
      side,
      packet => covers(ranges, packet.source),
      packet => covers(ranges, packet.destination)
    )
  }

  #host(side: Side): Filter {
    const host = this.#value('a host').toLowerCase()
    const is = (address: string): boolean => address === host || called(this.#nameOf(address), host)
    return onSide(
      side,
      packet => is(packet.source),
      packet => is(packet.destination)
    )
  }

  #value(what: string): string {
    const value = this.word
    if (value === undefined || value === '(' || value === ')') throw wrong(this.#text, `${what} is missing`)
    this.#at++
    return value
  }

  #take(...words: string[]): boolean {
    if (!words.includes(this.word ?? '')) return false
    this.#at++
    return true
  }
}

type Side = 'source' | 'destination' | 'both'

function onSide(side: Side, source: Filter, destination: Filter): Filter {
  if (side === 'source') return source
  if (side === 'destination') return destination
  return packet => source(packet) || destination(packet)
}

/** `nginx` and `nginx.demo` both mean nginx.demo.svc.cluster.local. */
function called(name: string | undefined, host: string): boolean {
  return name !== undefined && (name === host || name.startsWith(`${host}.`))
}

function wrong(text: string, why: string): KtError {
  return new KtError('KT_USAGE', `the filter "${text}" cannot be read: ${why}`, {
    hint: 'for example: host nginx.demo and tcp port 80, or not port 53'
  })
}
