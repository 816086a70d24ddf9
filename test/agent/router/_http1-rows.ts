// Requests of every kind that HTTP/1.1 knows, asked as clients do, and all that was heard of the answer.
import { createHash } from 'node:crypto'
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'

const MIB = 1_048_576

export interface Address {
  host: string
  port: number
}

export interface Told {
  status: number | undefined
  message: string | undefined
  version: string
  headers: string[]
  trailers: string[]
  infos: unknown[]
  bytes: number
  hash: string
  text: string
  /** Code of the error that ended it. */
  error: string
}

export interface Row extends RequestOptions {
  /** Written one after the other. */
  body?: (string | Buffer)[]
  /** So many bytes behind it, made and not held. */
  length?: number
  trailers?: [string, string][]
}

/** Ask as a client does and tell all that it has heard. */
export function askHttp1({ host, port }: Address, { body = [], length, trailers, ...options }: Row): Promise<Told> {
  return new Promise(resolve => {
    const told: Told = {
      status: undefined,
      message: '',
      version: '',
      headers: [],
      trailers: [],
      infos: [],
      bytes: 0,
      hash: '',
      text: '',
      error: ''
    }
    const hash = createHash('sha256')
    const done = (): void => resolve({ ...told, hash: hash.digest('hex') })
    const asked = request({
      port,
      host,
      setHost: false,
      maxHeaderSize: 200_000,
      ...options,
      headers: ['Host', 'shop.demo:8080', ...((options.headers as string[] | undefined) ?? [])]
    })
    asked.on('information', ({ statusCode, rawHeaders }) => told.infos.push([statusCode, rawHeaders]))
    asked.on('error', error => {
      told.error ||= (error as NodeJS.ErrnoException).code ?? 'error'
    })
    asked.on('response', (response: IncomingMessage) => {
      told.status = response.statusCode
      told.message = response.statusMessage
      told.version = response.httpVersion
      told.headers = withoutDate(response.rawHeaders)
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        told.bytes += chunk.length
        if (told.bytes < 10_000) told.text += String(chunk)
      })
      response.on('error', error => {
        told.error ||= (error as NodeJS.ErrnoException).code ?? 'error'
      })
      response.on('end', () => {
        told.trailers = response.rawTrailers
      })
    })
    asked.on('close', done)
    const go = async (): Promise<void> => {
      for (const part of body) asked.write(part)
      if (length !== undefined) await pour(asked, length)
      if (trailers !== undefined) asked.addTrailers(trailers)
      asked.end()
    }
    if (options.headers !== undefined && (options.headers as string[]).includes('Expect')) {
      asked.flushHeaders()
      asked.on('continue', () => void go())
    } else void go()
  })
}

function withoutDate(raw: string[]): string[] {
  return raw.filter((_, i) => raw[i - (i % 2)] !== 'Date')
}

const BIG = Buffer.alloc(MIB, 'a')
/** What is asked; `largeBytes`: of the largest bodies. */
export const http1Rows = (largeBytes: number): Record<string, Row> => ({
  GET: { path: '/echo' },
  HEAD: { path: '/echo', method: 'HEAD' },
  'POST of 0 bytes': { path: '/echo', method: 'POST', headers: ['Content-Length', '0'] },
  'POST of 1 MiB': { path: '/echo', method: 'POST', headers: ['Content-Length', String(MIB)], body: [BIG] },
  'PUT in chunks': { path: '/echo', method: 'PUT', headers: ['Transfer-Encoding', 'chunked'], body: ['a', 'bc', BIG] },
  DELETE: { path: '/echo', method: 'DELETE' },
  OPTIONS: { path: '*', method: 'OPTIONS' },
  'a method of its own': { path: '/echo', method: 'PROPFIND' },
  'chunks and trailers up': {
    path: '/echo',
    method: 'POST',
    headers: ['Transfer-Encoding', 'chunked', 'Trailer', 'X-Sum'],
    body: ['abc'],
    trailers: [
      ['X-Sum', '6'],
      ['x-LATE', 'yes']
    ]
  },
  'chunks and trailers down': { path: '/trailers' },
  'a large body down': { path: `/bytes?length=${largeBytes}` },
  'a large body up': {
    path: '/echo',
    method: 'POST',
    headers: ['Content-Length', String(largeBytes)],
    length: largeBytes
  },
  '0 bytes down': { path: '/bytes?length=0' },
  'Expect: 100-continue, accepted': {
    path: '/echo',
    method: 'POST',
    headers: ['Expect', '100-continue', 'Content-Length', '5'],
    body: ['hello']
  },
  'Expect: 100-continue, refused': {
    path: '/refused',
    method: 'POST',
    headers: ['Expect', '100-continue', 'Content-Length', '5']
  },
  'interim answers': { path: '/hints' },
  'no content': { path: '/nothing' },
  'not modified': { path: '/unchanged' },
  'until the connection closes': { path: '/until-close' },
  'a reset instead of an answer': { path: '/reset' },
  'a reset in the middle of an answer': { path: '/reset-later' },
  'an answer cut short': { path: '/short' },
  'a header of 64 KiB': { path: '/echo', headers: ['X-Large', 'a'.repeat(65_536)] },
  'duplicate headers, their order and case': {
    path: '/echo',
    headers: ['X-b', '1', 'x-A', '2', 'X-B', '3', 'Cookie', 'a=1', 'Cookie', 'b=2']
  },
  'absolute form': { path: 'http://shop.demo:8080/echo?x=1' },
  'not found': { path: '/no/such/path?%20=%zz' }
})

async function pour(asked: ClientRequest, length: number): Promise<void> {
  asked.setMaxListeners(0)
  for (let left = length; left > 0 && !asked.destroyed; left -= BIG.length) {
    if (asked.write(BIG.subarray(0, Math.min(left, BIG.length)))) continue
    await new Promise<void>(resolve => {
      asked.once('drain', resolve)
      asked.once('close', resolve)
    })
  }
}
