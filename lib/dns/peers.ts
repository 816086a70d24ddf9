// Other sessions on this computer: a name that this one does not have may be theirs.
import { askTcp, askUdp, type Transport } from './forward.ts'
import { RCODE, rcodeOf } from './message.ts'

/** Where a session's resolver is asked by other sessions: it answers what is its own, and refuses all else. */
export const PEER_PORT = 54
/** A session on this computer that has not answered after this time has other troubles. */
const LIMIT_MS = 2000
/** Then it is not asked for so long. */
const SLOW_MS = 10_000

export class Peers {
  /** `address:port`, in the order in which they began. */
  addresses: readonly string[] = []
  readonly #slowUntil = new Map<string, number>()

  /** All are asked at once. The first of them that has the name; else one that says that there is none; undefined: it is nobody's. */
  async ask(message: Uint8Array, transport: Transport): Promise<{ answer: Uint8Array; peer: string } | undefined> {
    const now = performance.now()
    const asked = this.addresses.filter(peer => (this.#slowUntil.get(peer) ?? 0) <= now)
    const said = await Promise.all(asked.map(peer => this.#askOne(message, transport, peer)))
    const answers = said.filter(each => each !== undefined)
    return answers.find(({ answer }) => rcodeOf(answer) !== RCODE.NXDOMAIN) ?? answers[0]
  }

  async #askOne(
    message: Uint8Array,
    transport: Transport,
    peer: string
  ): Promise<{ answer: Uint8Array; peer: string } | undefined> {
    const signal = AbortSignal.timeout(LIMIT_MS)
    try {
      const answer = await (transport === 'udp' ? askUdp : askTcp)(message, peer, signal)
      this.#slowUntil.delete(peer)
      return rcodeOf(answer) === RCODE.REFUSED ? undefined : { answer, peer }
    } catch {
      if (signal.aborted) this.#slowUntil.set(peer, performance.now() + SLOW_MS)
      return undefined // it is ending, or hangs
    }
  }
}
