// One HTTP/1 request and its answer: sent where it belongs, asked again where that is allowed, passed on as it comes.
import type { Socket } from 'node:net'
import type { BodyReader } from '../../lib/router/http1-body.ts'
import { ResponseReader } from '../../lib/router/http1-response.ts'
import { passOn } from '../connect.ts'
import type { Copy } from './copy.ts'
import { Upstream, type UpstreamListener } from './upstream.ts'
import type { Way } from './ways.ts'

/** A request at hand is no longer than this, bytes; a longer one is not asked twice. */
const MAX_AT_HAND = 65_536
/** RFC 9110 §9.2.2: twice is as good as once. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])

/** The conversation that an exchange is part of. */
export interface Asker {
  readonly socket: Socket
  /** The caller has sent FIN, and everything before it has been taken. */
  readonly saidAll: boolean
  /** An idle connection for the way that this request may use. */
  idle(to: Way | undefined, askable: boolean): Upstream | undefined
  /** A new one. Never rejects. */
  dial(to: Way | undefined): Promise<Socket | undefined>
  /** The answer is complete, and so is the request. `rest`: the server has said more than the answer. */
  complete(upstream: Upstream, rest: Buffer | undefined): void
  /** Both speak something else from here on. */
  tunnel(upstream: Upstream, rest: Buffer | undefined): void
  /** There will be no further answer: FIN. */
  finish(): void
  /** RST, as the server has done. */
  abort(): void
  /** There is no server. */
  nobody(): void
  /** Something has changed that decides whether the caller is read. */
  flow(): void
}

export interface Asked {
  method: string
  /** Has read what `begin` is given. */
  body: BodyReader
  to: Way | undefined
  copy: Copy | undefined
}

export class Exchange implements UpstreamListener {
  readonly #asker: Asker
  readonly #body: BodyReader
  readonly #copy: Copy | undefined
  readonly response: ResponseReader
  readonly #idempotent: boolean
  /** Whole and idempotent: as long as nothing has been answered it can be sent again. */
  #atHand: Buffer | undefined
  #to: Way | undefined
  #upstream: Upstream | undefined
  #answered = false
  #over = false

  constructor(asker: Asker, { method, body, to, copy }: Asked) {
    this.#asker = asker
    this.#body = body
    this.#copy = copy
    this.#to = to
    this.#idempotent = IDEMPOTENT.has(method)
    this.response = new ResponseReader(method)
  }

  /** Ask; `bytes` are the request so far, from its head on. */
  begin(bytes: Buffer): void {
    if (this.#body.done && this.#idempotent && bytes.length <= MAX_AT_HAND) this.#atHand = bytes
    this.#copy?.write(bytes)
    if (this.#body.done) this.#copy?.end()
    const idle = this.#asker.idle(this.#to, this.#atHand !== undefined)
    if (idle === undefined) void this.#askNew(bytes)
    else this.#send(idle, bytes)
  }

  /** All of the request has been taken from the caller. */
  get sent(): boolean {
    return this.#body.done
  }

  /** More of the request would have to wait in memory. */
  get full(): boolean {
    return this.#upstream === undefined || this.#upstream.socket.writableNeedDrain
  }

  /** The caller's next bytes: those behind the request are given back, undefined when its body is malformed. */
  more(bytes: Buffer): Buffer | undefined {
    const end = this.#body.read(bytes, 0)
    if (end === undefined) return undefined
    const part = end === bytes.length ? bytes : bytes.subarray(0, end)
    const socket = this.#upstream?.socket
    if (part === bytes && this.#copy === undefined) socket && passOn(socket, part)
    else socket?.write(part)
    this.#copy?.write(part)
    if (this.#body.done) this.#copy?.end()
    if (this.#body.done && this.response.progress === 'done') this.#complete(undefined)
    return bytes.subarray(end)
  }

  /** The caller has sent FIN, and the server hears it. */
  callerEnded(): void {
    this.#upstream?.socket.end()
  }

  /** Nobody waits for the answer any more. */
  close(): void {
    this.#over = true
    if (!this.#body.done) this.#copy?.close()
    this.#upstream?.close()
  }

  /** Answer nothing more of what the server says; true: nothing has been answered yet. */
  cancel(): boolean {
    this.close()
    return !this.#answered
  }

  // ---- asking ------------------------------------------------------------------------------------------------------

  async #askNew(bytes: Buffer): Promise<void> {
    const to = this.#to
    let socket = await this.#asker.dial(to)
    if (socket === undefined && to !== undefined && !this.#over) {
      this.#passOn(to)
      const idle = this.#asker.idle(undefined, this.#atHand !== undefined)
      if (idle !== undefined) {
        this.#send(idle, bytes)
        return
      }
      socket = await this.#asker.dial(undefined)
    }
    if (this.#over) socket?.destroy()
    else if (socket === undefined) this.#asker.nobody()
    else this.#send(new Upstream(this.#to?.key ?? '', socket), bytes)
  }

  #passOn(to: Way): void {
    to.counters.passedOn += 1
    this.#to = undefined
  }

  #send(upstream: Upstream, bytes: Buffer): void {
    this.#upstream = upstream
    upstream.listener = this
    upstream.socket.write(bytes)
    if (this.#asker.saidAll) upstream.socket.end()
    this.#asker.flow()
  }

  // ---- the answer --------------------------------------------------------------------------------------------------

  answered(bytes: Buffer): void {
    const { answer, rest } = this.response.push(bytes)
    this.#answered = true
    this.#atHand = undefined
    const upstream = this.#upstream!
    if (answer.length > 0 && !this.#give(answer, bytes)) upstream.socket.pause()
    const { progress } = this.response
    if (progress === 'tunnel') {
      this.#over = true
      this.#asker.tunnel(upstream, rest)
    } else if (progress === 'done' && (this.#body.done || rest !== undefined)) this.#complete(rest)
  }

  /** `answer` is `whole`, which nobody else needs then, or a part of it. */
  #give(answer: Buffer, whole: Buffer): boolean {
    const { socket } = this.#asker
    return answer === whole ? passOn(socket, answer) : socket.write(answer)
  }

  /** The caller can take more. */
  callerDrained(): void {
    this.#upstream?.socket.resume()
  }

  drained(): void {
    this.#asker.flow()
  }

  ended(): void {
    if (this.#askAgain()) return
    this.#over = true
    this.#asker.finish()
  }

  lost(): void {
    if (this.#askAgain()) return
    this.close()
    this.#asker.abort()
  }

  /** A kept connection may have been given up while the request was on its way; a fresh one to the originals has not. */
  #askAgain(): boolean {
    const upstream = this.#upstream!
    const bytes = this.#atHand // until something is answered
    if (bytes === undefined || !(upstream.reused || this.#to !== undefined)) return false
    upstream.close()
    this.#upstream = undefined
    if (this.#to !== undefined) this.#passOn(this.#to)
    void this.#askNew(bytes)
    return true
  }

  #complete(rest: Buffer | undefined): void {
    this.#over = true
    const upstream = this.#upstream!
    upstream.listener = undefined
    upstream.answeredAt = performance.now()
    this.#asker.complete(upstream, rest)
  }
}
