// To an address from this computer, as the relay goes through the tunnel.
import { DIRECT, tunnelError } from '../../proxy/dialer.ts'
import type { Datagrams } from '../../tunnel/tunnel.ts'
import type { Way } from './relay.ts'

/** Datagrams that wait for their socket, which takes a turn of the event loop; those beyond are dropped, as UDP may. */
const WAITING_MAX = 16

/** This computer's own network; `target` may name another address than the one that was asked for. */
export function directWay(target: (address: string) => string = address => address): Way {
  return {
    dial: (host, port, { signal } = {}) => DIRECT.dial(target(host), port, signal),
    datagrams(host, port, received, closed) {
      const waiting: Uint8Array[] = []
      let flow: Datagrams | undefined
      let done = false
      DIRECT.datagrams(target(host), port, received, closed).then(
        opened => {
          if (done) return opened.close()
          flow = opened
          for (const bytes of waiting) opened.send(bytes)
        },
        (error: unknown) => {
          if (!done) closed(tunnelError(error, host).reason)
        }
      )
      return {
        send(bytes) {
          if (flow !== undefined) return flow.send(bytes)
          if (done || waiting.length === WAITING_MAX) return false
          waiting.push(Uint8Array.from(bytes))
          return true
        },
        close() {
          done = true
          flow?.close()
        }
      }
    }
  }
}
