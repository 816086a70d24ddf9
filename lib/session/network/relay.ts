// What happens to whatever is sent into the TUN: to our resolver, or through the tunnel to the cluster; from a shell also to where it went before.
import { PEER_PORT } from '../../dns/peers.ts'
import type { Resolver } from '../../dns/server.ts'
import { serveTcp } from '../../dns/tcp.ts'
import type { EchoRequest } from '../../stack/echo.ts'
import type { PendingConnection } from '../../stack/pending.ts'
import type { UdpFlow } from '../../stack/udp-flow.ts'
import { connectionTrace } from '../../trace.ts'
import { join } from '../../tunnel/join.ts'
import { type Tunnel, TunnelError } from '../../tunnel/tunnel.ts'

const DNS_PORT = 53
/** How long an address counts as "just reached" for ping. */
const REACHED_MS = 10_000
/** Addresses remembered as reached; the oldest goes first. */
const REACHED_MAX = 1024
/** A port where nobody listens: its refusal tells that the address is alive (discard, RFC 863). */
const PROBE_PORT = 9
/** Addresses that are asked whether they live at a time: a sweep over a range must not take the streams of others. */
const PROBING_MAX = 256

/** By whom an address is reached. */
export type Way = Pick<Tunnel, 'dial' | 'datagrams'>

export interface RelayOptions {
  /** How this address is reached; undefined: not at the moment. */
  way(address: string): Way | undefined
  resolver: Resolver
  /** The addresses inside the TUN where the resolver answers. */
  resolverAddresses: readonly string[]
  /** The cluster's address that a virtual one stands for; default: all are the cluster's own. */
  toReal?(address: string): string
}

/** The stack's three callbacks: every conversation the laptop begins with the cluster. */
export class Relay {
  readonly #options: RelayOptions
  readonly #reached = new Map<string, number>()
  readonly #probing = new Set<string>()

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** DESIGN §3: a SYN is answered when the far side has answered, and with what it answered. */
  onConnection(pending: PendingConnection): void {
    const { destination, destinationPort } = pending
    if (this.#isResolver(destination)) {
      const answerer = this.#answerer(destinationPort)
      if (answerer === undefined) pending.refuse()
      else serveTcp(pending.accept(), answerer)
      return
    }
    const real = this.#real(destination)
    const way = this.#options.way(real)
    if (way === undefined) {
      pending.unreachable()
      return
    }
    const gone = new AbortController()
    pending.onGone = () => gone.abort()
    way.dial(real, destinationPort, { signal: gone.signal }).then(
      stream => {
        this.#note(destination)
        trace('opened', 'tcp', pending)
        if (gone.signal.aborted) stream.destroy()
        else join(pending.accept(), stream)
      },
      (error: unknown) => {
        const reason = error instanceof TunnelError ? error.reason : 'closed'
        trace(reason, 'tcp', pending)
        if (gone.signal.aborted) return
        if (reason === 'refused') {
          this.#note(destination)
          pending.refuse()
        } else if (reason === 'reset') {
          pending.refuse()
        } else if (reason === 'timeout') {
          pending.drop()
        } else {
          pending.unreachable()
        }
      }
    )
  }

  onFlow(flow: UdpFlow): void {
    const { destination, destinationPort } = flow
    if (this.#isResolver(destination)) {
      const answerer = this.#answerer(destinationPort)
      if (answerer === undefined) {
        flow.unreachable()
        flow.close()
        return
      }
      flow.onDatagram = bytes => {
        answerer.answer(bytes, 'udp').then(
          answer => {
            if (answer !== undefined) flow.send(answer)
          },
          () => {} // the resolver answers SERVFAIL itself; what it rejects is not a question
        )
      }
      return
    }
    const real = this.#real(destination)
    const way = this.#options.way(real)
    if (way === undefined) {
      flow.unreachable()
      flow.close()
      return
    }
    trace('opened', 'udp', flow)
    const far = way.datagrams(
      real,
      destinationPort,
      bytes => {
        this.#note(destination)
        flow.send(bytes)
      },
      reason => {
        if (reason === 'refused') flow.unreachable()
        trace(reason, 'udp', flow)
        flow.close()
      }
    )
    flow.onDatagram = bytes => {
      far.send(bytes)
    }
    flow.onClose = () => far.close()
  }

  /** ICMP echo is answered only for an address that the agent has just reached, otherwise not at all. */
  onEcho(echo: EchoRequest): void {
    const { destination } = echo
    if (this.#isResolver(destination) || this.#isReached(destination)) {
      echo.reply()
      return
    }
    const real = this.#real(destination)
    const way = this.#options.way(real)
    if (way === undefined || this.#probing.has(destination) || this.#probing.size >= PROBING_MAX) return
    this.#probing.add(destination)
    void isAlive(way, real).then(alive => {
      this.#probing.delete(destination)
      if (!alive) return
      this.#note(destination)
      echo.reply()
    })
  }

  /** Who answers at this port of the resolver's addresses. */
  #answerer(port: number): Pick<Resolver, 'answer'> | undefined {
    if (port === DNS_PORT) return this.#options.resolver
    return port === PEER_PORT ? this.#options.resolver.own : undefined
  }

  #real(address: string): string {
    return this.#options.toReal?.(address) ?? address
  }

  #isResolver(address: string): boolean {
    return this.#options.resolverAddresses.includes(address)
  }

  #isReached(address: string): boolean {
    const at = this.#reached.get(address)
    return at !== undefined && performance.now() - at < REACHED_MS
  }

  #note(address: string): void {
    this.#reached.delete(address)
    this.#reached.set(address, performance.now())
    if (this.#reached.size <= REACHED_MAX) return
    for (const oldest of this.#reached.keys()) {
      this.#reached.delete(oldest)
      break
    }
  }
}

/** An address that opens or refuses a port is there. */
async function isAlive(way: Way, address: string): Promise<boolean> {
  try {
    const stream = await way.dial(address, PROBE_PORT)
    stream.destroy()
    return true
  } catch (error) {
    return error instanceof TunnelError && error.reason === 'refused'
  }
}

function trace(
  event: string,
  network: 'tcp' | 'udp',
  flow: { source: string; sourcePort: number; destination: string; destinationPort: number }
): void {
  if (!connectionTrace.hasSubscribers) return
  connectionTrace.publish({
    event,
    network,
    source: `${flow.source}:${flow.sourcePort}`,
    destination: `${flow.destination}:${flow.destinationPort}`
  })
}
