// The loop of a controller: after each change compare, one at a time, and do what is to be done, until somebody else means it.
import { KtError } from '../../errors.ts'
import type { Report } from '../report.ts'

const HEALS_WINDOW_MS = 60_000

export interface ReconcilerOptions {
  /** Whose name stands in front of what has gone wrong. */
  service: string
  report: Report
  /** So often in a minute is healed what somebody changes. More is somebody's controller: it wins, because two loops against each other help nobody. */
  healsMax: number
  /** Compare, and act. What it throws is said as a warning; the next change tries again. */
  reconcile(): Promise<void>
}

export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #lost = Promise.withResolvers<Error>()
  #heals: number[] = []
  #work: Promise<void> = Promise.resolve()
  #active: boolean = false
  #waiting: boolean = false
  #said: string = ''

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** Resolves when there is nothing to keep any more: somebody else has it. */
  get lost(): Promise<Error> {
    return this.#lost.promise
  }

  /** What is wrong at the moment, as it was said; empty when nothing is. */
  get said(): string {
    return this.#said
  }

  /** From now on changes are looked at. */
  begin(): void {
    this.#active = true
  }

  /** No more of them; resolves when nothing is under way any more. */
  async end(): Promise<void> {
    this.#active = false
    await this.#work
  }

  /** Something has changed. */
  look(): void {
    if (!this.#active || this.#waiting) return
    this.#waiting = true
    this.#work = this.#work
      .then(() => {
        this.#waiting = false
        return this.#active ? this.#options.reconcile() : undefined
      })
      .catch((error: unknown) => this.say(`service ${this.#options.service}: ${(error as Error).message}`))
  }

  /** Counts as one healing. */
  mayHeal(): boolean {
    const now = performance.now()
    this.#heals = [...this.#heals.filter(at => now - at < HEALS_WINDOW_MS), now]
    return this.#heals.length <= this.#options.healsMax
  }

  lose(message: string): void {
    this.#active = false
    this.#lost.resolve(new KtError('KT_CONFLICT', message))
  }

  /** What is wrong, once for as long as it stays so; empty: nothing is. */
  say(text: string): void {
    if (text !== '' && text !== this.#said) this.#options.report({ event: 'warning', text })
    this.#said = text
  }

  /** What was wrong and is mended: said each time. */
  sayMended(text: string): void {
    this.say(text)
    this.#said = ''
  }
}
