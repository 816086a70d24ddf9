// spec.md, "Streams": which ids are in use, were in use, and may come next.
import { MAX_STREAM_ID } from './frame.ts'
import type { StreamState } from './stream-state.ts'

/** Streams that one side may have open: far more than a laptop's port range gives at once to one program. */
export const MAX_STREAMS = 8_192

export class StreamTable {
  readonly #streams = new Map<number, StreamState>()
  #ourNextId: number
  #theirNextId: number
  #ours = 0
  #theirs = 0

  /** `client`: our ids are odd. */
  constructor(client: boolean) {
    this.#ourNextId = client ? 1 : 2
    this.#theirNextId = client ? 2 : 1
  }

  get size(): number {
    return this.#streams.size
  }
  get(id: number): StreamState | undefined {
    return this.#streams.get(id)
  }
  all(): StreamState[] {
    return [...this.#streams.values()]
  }

  /** Those that have sent nothing since they were asked for the last time. */
  *resting(): Iterable<StreamState> {
    for (const stream of this.#streams.values()) if (stream.rests()) yield stream
  }

  /** We cannot open another one, ever. */
  get exhausted(): boolean {
    return this.#ourNextId > MAX_STREAM_ID
  }
  get roomForOurs(): boolean {
    return this.#ours < MAX_STREAMS
  }
  get roomForTheirs(): boolean {
    return this.#theirs < MAX_STREAMS
  }

  /** The id of the stream we open next; it is used up. */
  takeId(): number {
    const id = this.#ourNextId
    this.#ourNextId += 2
    return id
  }

  /** The peer opens this one; it is used up. False: it may not. */
  takeTheirs(id: number): boolean {
    if (id % 2 !== this.#theirNextId % 2 || id < this.#theirNextId) return false
    this.#theirNextId = id + 2
    return true
  }

  /** Whether the id has been in use, so that frames for it may still be on the way. */
  known(id: number): boolean {
    return id < (this.#isOurs(id) ? this.#ourNextId : this.#theirNextId)
  }

  add(stream: StreamState): void {
    this.#streams.set(stream.id, stream)
    if (this.#isOurs(stream.id)) this.#ours += 1
    else this.#theirs += 1
  }

  remove(stream: StreamState): void {
    if (!this.#streams.delete(stream.id)) return
    if (this.#isOurs(stream.id)) this.#ours -= 1
    else this.#theirs -= 1
  }

  #isOurs(id: number): boolean {
    return id % 2 === this.#ourNextId % 2
  }
}
