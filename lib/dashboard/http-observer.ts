// The requests on one inbound connection, read in passing: it sees each chunk on its way and changes, delays and keeps none of it.
import type { Duplex } from 'node:stream'
import { type Head, MessageReader } from './http-message.ts'
import type { RequestRow } from './model.ts'

/** Kept of each body, bytes. */
export const BODY_MAX = 32_768
/** Requests on one connection that wait for their answer; who sends more ahead is not followed. */
const PIPELINE_MAX = 64

/** A request with as much of its bodies as is kept. */
export interface Exchanged {
  row: RequestRow
  /** When its head had passed, by `performance.now()`. */
  began: number
  requestBody: Uint8Array[]
  responseBody: Uint8Array[]
}

export interface Observed {
  port: number
  source: string
  to: string
  /** What the caller says comes out of here, … */
  stream: Duplex
  /** … and what the local program answers out of here. */
  socket: Duplex
}

export interface ObserverOptions {
  /** A new number for each request. */
  nextId(): number
  /** A request has begun, or something about it has changed. */
  changed(exchanged: Exchanged): void
}

/** Follow the connection until the result is called, it ends, or it speaks something else. */
export function observe({ port, source, to, stream, socket }: Observed, options: ObserverOptions): () => void {
  const waiting: Exchanged[] = []
  /** Whose body passes in this direction. */
  let asking: Exchanged | undefined
  let answering: Exchanged | undefined
  const request = new MessageReader('request', {
    head({ first: method, second: path, headers }) {
      const row: RequestRow = {
        ...{ id: options.nextId(), at: Date.now(), port, source, to, method, path, status: 0, ms: 0 },
        ...{ requestHeaders: headers, responseHeaders: [], requestBytes: 0, responseBytes: 0, done: false }
      }
      asking = { row, began: performance.now(), requestBody: [], responseBody: [] }
      waiting.push(asking)
      options.changed(asking)
      if (waiting.length > PIPELINE_MAX) stop()
      return 'framed'
    },
    body(bytes) {
      if (asking !== undefined) asking.row.requestBytes = keep(asking.requestBody, asking.row.requestBytes, bytes)
    },
    end: () => {}
  })
  const response = new MessageReader('response', {
    head(head) {
      answering = waiting[0]
      return answering === undefined ? 'other' : answered(answering, head, options)
    },
    body(bytes) {
      if (answering === undefined) return
      answering.row.responseBytes = keep(answering.responseBody, answering.row.responseBytes, bytes)
    },
    end() {
      if (answering === undefined || answering.row.status < 200) return // an interim answer is followed by another
      over(answering)
      waiting.shift()
      answering = undefined
    }
  })
  const over = (each: Exchanged): void => {
    each.row.done = true
    options.changed(each)
  }
  const asked = (bytes: Uint8Array): void => (response.lost ? stop() : request.push(bytes))
  const said = (bytes: Uint8Array): void => {
    response.push(bytes)
    if (response.lost) stop()
  }
  const ended = (): void => response.finish()
  const stop = (): void => {
    stream.off('data', asked).off('close', stop)
    socket.off('data', said).off('end', ended).off('close', stop)
    for (const each of waiting.splice(0)) over(each)
  }
  stream.on('data', asked).on('close', stop)
  socket.on('data', said).on('end', ended).on('close', stop)
  return stop
}

/** What follows an answer's head: RFC 9112 §6.3. */
function answered(
  exchanged: Exchanged,
  { second, headers }: Head,
  { changed }: ObserverOptions
): 'none' | 'other' | 'framed' {
  const { row } = exchanged
  row.status = Number(second)
  row.ms = performance.now() - exchanged.began
  row.responseHeaders = headers
  if (row.status === 101 || (row.method === 'CONNECT' && row.status < 300)) row.done = true
  changed(exchanged)
  if (row.done) return 'other'
  return row.method === 'HEAD' || row.status < 200 || row.status === 204 || row.status === 304 ? 'none' : 'framed'
}

/** Copy what there is room for; the bytes that have passed so far. */
function keep(kept: Uint8Array[], passed: number, bytes: Uint8Array): number {
  if (passed < BODY_MAX) kept.push(Uint8Array.from(bytes.subarray(0, BODY_MAX - passed)))
  return passed + bytes.length
}
