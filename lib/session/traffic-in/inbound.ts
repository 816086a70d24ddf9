// The laptop's end of what comes in: each call at an exposed port becomes a connection to a local program, and nothing else does.
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import type { MuxStream } from '../../mux/stream.ts'
import { inboundTrace } from '../../trace.ts'
import { DatagramDecoder, MAX_QUEUED_BYTES, sendDatagram } from '../../tunnel/datagrams.ts'
import { verdictOf } from '../../tunnel/errno.ts'
import { join } from '../../tunnel/join.ts'
import { type Accepted, decodeRequest, encodeVerdict, type Verdict } from '../../tunnel/request.ts'
import { parseAddress } from '../../wire/address.ts'
import { LocalProgram } from './local-program.ts'
import { proxyHeader } from './proxy-protocol.ts'

/** A local program that has not answered by then counts as silent, ms. On this computer it takes microseconds. */
const DIAL_MS = 10_000
/** Bytes that may wait in a socket: one DATA frame and the next. */
const SOCKET_BYTES = 131_072
/** Datagrams kept for the next host of a flow which nobody has answered yet. */
const MAX_KEPT_DATAGRAMS = 8

/** A port of the agent, and the local program behind it. */
export interface ExposedPort {
  network: 'tcp' | 'udp'
  /** Where the agent listens. */
  port: number
  /** Where the local program listens: tried in turn while they refuse. Names are resolved on this computer. */
  hosts: readonly string[]
  localPort: number
  /** False: nobody listens there yet. */
  listening?: boolean
}

/** A call has been answered. */
export interface InboundCall {
  network: 'tcp' | 'udp'
  port: number
  source: string
  sourcePort: number
  verdict: Verdict
  /** `127.0.0.1:8080`: who got it, or was asked last; empty when the port is not exposed. */
  to: string
}

export interface InboundOptions {
  ports: readonly ExposedPort[]
  /** Write a PROXY protocol v2 header before the first byte of each TCP connection. */
  proxyProtocol?: boolean
  /** Called once for each connection and flow. */
  onCall?(call: InboundCall): void
  /** The local program of a TCP port has been found not to listen any more, or to listen again. */
  onListening?(port: ExposedPort, listening: boolean): void
}

/** Answers the streams that the agent opens. One serves any number of sessions, one after the other. */
export class Inbound {
  readonly #options: InboundOptions
  readonly #programs: ReadonlyMap<ExposedPort, LocalProgram>
  /** Calls answered with `opened` since the beginning. */
  opened = 0
  /** All others. */
  refused = 0

  constructor(options: InboundOptions) {
    this.#options = options
    this.#programs = new Map(
      options.ports.map(port => {
        const said = (listening: boolean): void => options.onListening?.(port, listening)
        return [port, new LocalProgram(port.hosts, port.localPort, port.listening ?? true, said)]
      })
    )
  }

  /** For `MuxSession`. Whatever the request says, nothing throws. */
  readonly onStream = (stream: MuxStream, bytes: Uint8Array): void => {
    const request = decodeRequest(bytes)
    if (request?.kind === 'listening') {
      this.#tell(stream, request.port)
      return
    }
    if (request?.kind !== 'accepted' || parseAddress(request.source) === undefined) {
      answer(stream, 'denied')
      return
    }
    const exposed = this.#exposed(request.network, request.port)
    if (exposed === undefined) {
      this.#said(request, 'denied', '')
      answer(stream, 'denied')
    } else if (request.network === 'tcp') void this.#dial(stream, request, exposed)
    else
      new LocalFlow(stream, exposed, (verdict, host) => this.#said(request, verdict, hostPort(host, exposed.localPort)))
  }

  #exposed(network: 'tcp' | 'udp', port: number): ExposedPort | undefined {
    return this.#options.ports.find(exposed => exposed.network === network && exposed.port === port)
  }

  #tell(stream: MuxStream, port: number): void {
    const exposed = this.#exposed('tcp', port)
    if (exposed === undefined) answer(stream, 'denied')
    else this.#programs.get(exposed)?.tell(stream)
  }

  async #dial(stream: MuxStream, request: Accepted, exposed: ExposedPort): Promise<void> {
    const { hosts, localPort } = exposed
    let verdict: Verdict = 'failed'
    let to = ''
    for (const host of hosts) {
      const result = await dialLocal(stream, host, localPort)
      if (stream.destroyed) {
        if (typeof result === 'object') result.destroy()
        return
      }
      to = hostPort(host, localPort)
      if (typeof result === 'object') {
        this.#said(request, 'opened', to)
        this.#programs.get(exposed)?.found(true)
        stream.write(encodeVerdict('opened'))
        if (this.#options.proxyProtocol) result.write(proxyHeader(request))
        if (inboundTrace.hasSubscribers) {
          const source = `${request.source}:${request.sourcePort}`
          inboundTrace.publish({ port: request.port, source, to, stream, socket: result })
        }
        join(result, stream)
        return
      }
      verdict = result
      if (verdict !== 'refused') break
    }
    this.#said(request, verdict, to)
    answer(stream, verdict)
    if (verdict === 'refused') this.#programs.get(exposed)?.found(false)
  }

  #said({ network, port, source, sourcePort }: Accepted, verdict: Verdict, to: string): void {
    if (verdict === 'opened') this.opened += 1
    else this.refused += 1
    this.#options.onCall?.({ network, port, source, sourcePort, verdict, to })
  }
}

/** An established connection, or why there is none. Never rejects; given up when the stream goes. */
function dialLocal(stream: MuxStream, host: string, port: number): Promise<Socket | Verdict> {
  return new Promise(resolve => {
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      // Not in the types of @types/node; both sides of a Socket take it.
      ...{ highWaterMark: SOCKET_BYTES }
    })
    const settle = (result: Socket | Verdict) => {
      clearTimeout(timer)
      stream.off('close', abandoned)
      socket.off('error', failed)
      if (result !== socket) socket.on('error', () => {}).destroy()
      resolve(result)
    }
    const failed = (error: Error) => settle(verdictOf(error))
    const abandoned = () => settle('failed')
    const timer = setTimeout(() => settle('timeout'), DIAL_MS)
    stream.on('close', abandoned)
    socket.on('error', failed)
    socket.on('connect', () => settle(socket))
  })
}

/** One caller's datagrams, from a socket of their own: the local program sees callers apart, and its answers find their way back. */
class LocalFlow {
  readonly #stream: MuxStream
  readonly #exposed: ExposedPort
  readonly #said: (verdict: Verdict, host: string) => void
  #socket: ReturnType<typeof createSocket> | undefined
  #host = ''
  #connected = false
  /** What nobody has answered; undefined once somebody has. */
  #kept: Uint8Array[] | undefined = []
  #opened = false

  constructor(stream: MuxStream, exposed: ExposedPort, said: (verdict: Verdict, host: string) => void) {
    this.#stream = stream
    this.#exposed = exposed
    this.#said = said
    const decoder = new DatagramDecoder(bytes => this.#arrive(bytes))
    stream.on('data', (chunk: Uint8Array) => {
      if (!decoder.push(chunk)) stream.reset('internal')
    })
    stream.on('end', () => stream.destroy())
    stream.on('close', () => this.#close())
    this.#connect(0)
  }

  #connect(index: number): void {
    const { hosts, localPort } = this.#exposed
    const host = hosts[index] ?? ''
    this.#host = host
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.on('error', error => {
      const verdict = verdictOf(error)
      if (socket !== this.#socket || this.#stream.destroyed) return
      this.#close()
      // An ICMP port unreachable for something we sent; another family may be listened on.
      if (verdict === 'refused' && this.#kept !== undefined && index + 1 < hosts.length) this.#connect(index + 1)
      else this.#fail(verdict)
    })
    socket.on('message', bytes => {
      this.#kept = undefined
      sendDatagram(this.#stream, bytes)
    })
    socket.connect(localPort, host, (...[error]: unknown[]) => {
      if (error !== undefined) return void socket.emit('error', error) // no such address here: Node tells only us
      if (socket !== this.#socket) return
      this.#connected = true
      if (!this.#opened) this.#stream.write(encodeVerdict('opened'))
      if (!this.#opened) this.#said('opened', host)
      this.#opened = true
      for (const bytes of this.#kept ?? []) this.#send(bytes)
    })
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#kept !== undefined && this.#kept.length < MAX_KEPT_DATAGRAMS) this.#kept.push(bytes)
    if (this.#connected) this.#send(bytes)
  }

  #send(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket === undefined || socket.getSendQueueSize() > MAX_QUEUED_BYTES) return // dropped, as a router would
    socket.send(bytes, error => {
      if (error !== null) socket.emit('error', error)
    })
  }

  #fail(verdict: Verdict): void {
    if (this.#opened) this.#stream.reset(verdict === 'refused' ? 'refused' : 'reset')
    else {
      this.#said(verdict, this.#host)
      answer(this.#stream, verdict)
    }
  }

  #close(): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#connected = false
    socket?.close()
  }
}

/** A verdict and no more. */
function answer(stream: MuxStream, verdict: Verdict): void {
  if (stream.destroyed) return
  stream.resume()
  stream.end(encodeVerdict(verdict))
}

function hostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}
