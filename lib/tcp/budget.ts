// The memory which all endpoints of a stack may hold together.

/** What an endpoint may always hold, whatever the others do, in bytes; otherwise a few stalled flows would stop all others. */
export const ALWAYS_BYTES = 16 * 1024

/** Bytes one endpoint may queue per direction while memory is short: about one super-segment. */
export const PRESSED_BYTES = 64 * 1024

/** An account of bytes, shared by the endpoints of one stack. */
export class Budget {
  /** Bytes all endpoints together may hold, not counting `ALWAYS_BYTES` of each. */
  readonly limit: number
  used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** A quarter is gone: windows do not grow any more. */
  get scarce(): boolean {
    return this.used > this.limit / 4
  }

  /** Half is gone: windows and queues stay small from here on, before anything must be refused. */
  get pressed(): boolean {
    return this.used > this.limit / 2
  }
}
