// What all callers of a router share, and what it may ask of each.
import type { RouterStatus } from '../../lib/router/status.ts'
import type { Ways } from './ways.ts'

export interface Office {
  readonly ways: Ways
  readonly counters: RouterStatus
  /** The pod is being removed: every answer is the last one on its connection. */
  leaving: boolean
}

/** Somebody who may be asked to leave. */
export interface Guest {
  /** The pod is being removed: what is being answered, or comes next, is the last. */
  retire(): void
  /** End now if nothing is being asked; false: something is. */
  endIfIdle(): boolean
}
