// A program on this computer behind an exposed port: does it listen? Asked only while it does not, so that it never notices.
import { connect } from 'node:net'
import type { MuxStream } from '../../mux/stream.ts'
import { encodeVerdict } from '../../tunnel/request.ts'

/** Local programs answer within this or are taken for silent, ms. */
const CHECK_MS = 1_000
/** While nobody listens he is looked for this often, ms: a program that is started again is found before its user has asked it. */
const LOOK_MS = 500

/** This computer, whichever family the local program listens on. */
export const LOCALHOST: readonly string[] = ['127.0.0.1', '::1']

/** This computer is meant by its name and both of its addresses, whichever family the program has chosen. */
export function hostsOf(host: string): readonly string[] {
  return host === 'localhost' || host === '127.0.0.1' ? LOCALHOST : [host]
}

/** Does somebody listen at one of `hosts`? UDP cannot be asked. Never rejects. */
export async function listens(hosts: readonly string[], port: number): Promise<boolean> {
  const heard = await Promise.all(hosts.map(host => answers(host, port)))
  return heard.some(Boolean)
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: CHECK_MS })
    const settle = (heard: boolean): void => {
      socket.destroy()
      resolve(heard)
    }
    socket.on('connect', () => settle(true))
    socket.on('error', () => settle(false))
    socket.on('timeout', () => settle(false))
  })
}

/** What is known of one program, for the agents that want to know it. */
export class LocalProgram {
  readonly #hosts: readonly string[]
  readonly #port: number
  readonly #onChange: (listening: boolean) => void
  /** Streams of agents that are told of each change. */
  readonly #told = new Set<MuxStream>()
  #listening: boolean
  #looking = false

  constructor(hosts: readonly string[], port: number, listening: boolean, onChange: (listening: boolean) => void) {
    this.#hosts = hosts
    this.#port = port
    this.#listening = listening
    this.#onChange = onChange
  }

  /** It has answered a call, or refused one. */
  found(listening: boolean): void {
    this.#set(listening)
    if (!listening) void this.#look()
  }

  /** Answer a `listening` of the agent, now and at each change, for as long as the stream lives. */
  tell(stream: MuxStream): void {
    this.#told.add(stream)
    stream.on('close', () => this.#told.delete(stream))
    stream.on('end', () => stream.destroy())
    stream.resume()
    stream.write(Buffer.concat([encodeVerdict('opened'), state(this.#listening)]))
    if (!this.#listening) void this.#look()
  }

  #set(listening: boolean): void {
    if (this.#listening === listening) return
    this.#listening = listening
    for (const stream of this.#told) stream.write(state(listening))
    this.#onChange(listening)
  }

  /** Until somebody listens, or nobody wants to know it. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    while (!this.#listening && this.#told.size > 0) {
      await new Promise<void>(resolve => void setTimeout(resolve, LOOK_MS).unref())
      if (await listens(this.#hosts, this.#port)) this.#set(true)
    }
    this.#looking = false
  }
}

const state = (listening: boolean): Uint8Array => Uint8Array.of(listening ? 1 : 0)
