// What a benchmark is, and what it is given.
import type { Row } from './rows.ts'
import type { Testbed } from './testbed.ts'

export interface Context {
  /** Each measurement takes about a second and is made once: the benchmark is tried, nothing is judged. */
  quick: boolean
  /** How often each thing is measured; the baseline of a round twice. */
  rounds: number
  /** How long one measurement should take, seconds. */
  seconds: number
  /** Length of the soak of `growth`; 0: none. */
  soakMs: number
  /** The cluster; started when a case asks for it first. */
  testbed(): Promise<Testbed>
  /** What is being done now. */
  progress(text: string): void
  /** What the reader of the result must know, for example that a rival is not measured and why. */
  note(text: string): void
}

export interface Case {
  name: string
  /** One line: what is measured. */
  title: string
  run(context: Context): Promise<Row[]>
}
