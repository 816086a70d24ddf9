// Pods of kt among those that a stuntman names: a router, or a shadow, wears the labels of the service that it stands before,
// and what one of them gives to another would come back.
import { connect } from 'node:net'

/** What an agent says to whoever connects to its port of readiness. */
export const KIN_SIGN = 'kt agent\n'
/** A pod refuses within a millisecond, an agent answers as fast; a network policy that swallows the question costs this, ms, once. */
const ASK_MS = 250
/** Asked again after this, ms: an agent that was too busy to answer must not be taken for a server for ever. */
const GOOD_FOR_MS = 10_000

export class Kin {
  readonly #port: number
  #known = new Map<string, { kin: boolean; at: number }>()

  /** `port`: where agents of the same service sign; 0: nobody is asked. */
  constructor(port: number) {
    this.#port = port
  }

  /** Those that are no pods of kt, in the order they came in. Never rejects. */
  async others(addresses: readonly string[]): Promise<string[]> {
    if (this.#port === 0) return [...addresses]
    const now = performance.now()
    const judged = await Promise.all(
      addresses.map(async address => {
        const known = this.#known.get(address)
        if (known !== undefined && (known.kin || now - known.at < GOOD_FOR_MS)) return [address, known] as const
        return [address, { kin: await signs(address, this.#port), at: now }] as const
      })
    )
    // Whoever is not named any more is forgotten: his address may become somebody else's.
    this.#known = new Map(judged)
    return judged.filter(([, { kin }]) => !kin).map(([address]) => address)
  }
}

function signs(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    let heard = ''
    const settle = (kin: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(kin)
    }
    const timer = setTimeout(() => settle(false), ASK_MS)
    socket.setEncoding('latin1')
    socket.on('data', text => {
      heard += text as unknown as string
      if (heard.length >= KIN_SIGN.length) settle(heard.startsWith(KIN_SIGN))
    })
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
  })
}
