// What the demo stands on: a cluster with something to look at, and a laptop beside it.
import type { Laptop } from '../../bench/ways/way.ts'

/** A web service that the demo visits. */
export interface WebService {
  name: string
  namespace: string
  /** The cluster's domain. */
  domain: string
  serviceAddress: string
  podAddress: string
  podPort: number
  /** What it answers. */
  says: RegExp
}

/** A name outside of the cluster, and the addresses that the laptop's own resolver gives for it. */
export interface PublicName {
  name: string
  addresses: string[]
}

export interface Ground {
  /** Make it. Half of it may be there when this rejects: `close` works all the same. */
  open(): Promise<void>
  /** Remove all that `open` has made. */
  close(): Promise<void>
  readonly laptop: Laptop
  readonly web: WebService
  /** Undefined when the laptop cannot resolve any. */
  readonly publicName: PublicName | undefined
  kubectl(args: string[], input?: string): Promise<string>
  /** Run a program on the laptop to its end; rejects with what it said when it fails. */
  run(program: string, args: string[]): Promise<string>
}

/** This machine cannot show it; the message is one line and says what can be done. */
export class Unfit extends Error {
  override readonly name = 'Unfit'
}
