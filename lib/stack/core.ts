// What the parts of one stack share.
import type { Clock } from './clock.ts'
import type { FlowFacts } from './facts.ts'
import type { Output } from './output.ts'
import type { StackStats } from './stats.ts'

export interface Core {
  readonly clock: Clock
  /** 32 random bits. */
  readonly random: () => number
  readonly output: Output
  readonly stats: StackStats
  /** There is something to settle: at the end of the batch, or else soon. */
  wake(): void
  /** Told of each conversation that is over, while somebody wants to know. */
  ended: ((flow: FlowFacts) => void) | undefined
}
