// RFC 1928 §7: UDP through a SOCKS 5 proxy, for as long as the connection that asked for it is open.
import { createSocket } from 'node:dgram'
import { isIPv6, type Socket } from 'node:net'
import type { Datagrams } from '../tunnel/tunnel.ts'
import type { Dialer } from './dialer.ts'
import { decodeDatagram, encodeDatagram, encodeReply, REPLY, SOCKS5 } from './socks.ts'

/** Targets of one association at a time; the one not used for longest goes first. */
const MAX_FLOWS = 256
/** Datagrams that wait while a name is resolved; what comes behind them is dropped, as UDP may. */
const MAX_WAITING = 16

/** Open a UDP port beside the address at which `socket` has come in, and relay until that is closed. Never rejects. */
export async function associate(socket: Socket, dialer: Dialer): Promise<void> {
  const client = socket.remoteAddress ?? ''
  const host = socket.localAddress ?? ''
  const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const flows = new Map<string, Flow>()
  let port = 0
  udp.on('error', () => {}) // an ICMP error of a client that is going
  udp.on('message', (bytes, from) => {
    // The first datagram tells the client's port; others of this computer have no business here.
    if (from.address !== client || (port !== 0 && from.port !== port)) return
    const asked = decodeDatagram(bytes)
    if (asked === undefined) return
    port = from.port
    const key = `${asked.host} ${asked.port}`
    const flow = flows.get(key) ?? openFlow(key, asked)
    flows.delete(key)
    flows.set(key, flow)
    flow.send(asked.data)
  })
  const openFlow = (key: string, to: { host: string; port: number }): Flow => {
    for (const [oldest, flow] of flows) {
      if (flows.size < MAX_FLOWS) break
      flows.delete(oldest)
      flow.close()
    }
    const forget = (): void => {
      if (flows.get(key) === flow) flows.delete(key)
    }
    const flow = new Flow(dialer, to, data => udp.send(encodeDatagram(to.host, to.port, data), port, client), forget)
    return flow
  }
  const bound = await new Promise<{ address: string; port: number } | undefined>(resolve => {
    udp.once('error', () => resolve(undefined))
    udp.bind({ address: host, port: 0 }, () => resolve(udp.address()))
  })
  socket.once('close', () => {
    for (const flow of flows.values()) flow.close()
    flows.clear()
    udp.close()
  })
  if (bound === undefined) socket.end(encodeReply(SOCKS5, REPLY.FAILURE))
  else socket.write(encodeReply(SOCKS5, REPLY.SUCCEEDED, { host: bound.address, port: bound.port }))
  socket.on('end', () => socket.end())
  socket.resume() // only its end is of interest
}

/** One target, whose name may still have to be resolved. */
class Flow {
  readonly #waiting: Uint8Array[] = []
  #far: Datagrams | undefined
  #closed = false

  constructor(
    dialer: Dialer,
    { host, port }: { host: string; port: number },
    received: (bytes: Uint8Array) => void,
    ended: () => void
  ) {
    dialer
      .datagrams(
        host,
        port,
        bytes => {
          if (!this.#closed) received(bytes)
        },
        ended
      )
      .then(far => {
        if (this.#closed) return far.close()
        this.#far = far
        for (const bytes of this.#waiting.splice(0)) far.send(bytes)
      }, ended)
  }

  /** Sent, kept until there is somebody to send it to, or dropped. Copies what it keeps. */
  send(bytes: Uint8Array): void {
    if (this.#far !== undefined) this.#far.send(bytes)
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(Uint8Array.from(bytes))
  }

  close(): void {
    this.#closed = true
    this.#far?.close()
  }
}
