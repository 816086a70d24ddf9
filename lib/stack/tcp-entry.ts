// One TCP conversation in the stack's table: first a pending SYN, then an endpoint.
import type { Endpoint } from '../tcp/endpoint.ts'
import type { Seq } from '../tcp/seq.ts'
import type { SynOptions } from '../wire/tcp-options.ts'
import type { Connection } from './connection.ts'
import type { Timed } from './deadlines.ts'
import type { Path } from './path.ts'
import type { PendingConnection } from './pending.ts'
import type { TableEntry } from './table.ts'

/** What the SYN said. */
export interface Syn extends SynOptions {
  readonly seq: Seq
  readonly wnd: number
}

export class TcpEntry implements TableEntry<TcpEntry>, Timed {
  readonly path: Path
  readonly syn: Syn
  next: TcpEntry | undefined = undefined
  dueAt = Infinity
  heapIndex = -1
  /** Is in the list of entries to be settled. */
  dirty: boolean = false
  /** In the table; false once the conversation is over. */
  alive: boolean = true
  pending: PendingConnection | undefined = undefined
  pendingUntil = Infinity
  endpoint: Endpoint | undefined = undefined
  connection: Connection | undefined = undefined

  constructor(path: Path, syn: Syn) {
    this.path = path
    this.syn = syn
  }

  get deadline(): number {
    return this.endpoint === undefined ? this.pendingUntil : this.endpoint.deadline
  }
}
