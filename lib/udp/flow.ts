// One UDP conversation, as far as its expiry is concerned.

/** What an owner of UDP flows extends. `Flows` alone writes these fields. */
export class Flow {
  /** When a datagram last went either way, in the caller's milliseconds. */
  lastUse = 0
  /** The neighbours in order of last use; undefined at the ends. */
  older: Flow | undefined = undefined
  newer: Flow | undefined = undefined
}
