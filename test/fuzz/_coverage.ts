// Which code of ours an input has reached that no input had reached before: V8's precise coverage, block by block.
import { type Profiler, Session } from 'node:inspector/promises'

const OURS = /\/(lib|shadow-agent)\/[^?]*\.ts$/

/** Counts for the whole process: one at a time. */
export class Coverage {
  readonly #session = new Session()
  /** For each function that has run: the blocks of it that have not, as `start-end`. */
  readonly #missing = new Map<string, Set<string>>()

  async start(): Promise<void> {
    this.#session.connect()
    await this.#session.post('Profiler.enable')
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  stop(): void {
    this.#session.disconnect()
  }

  /** From now on everything is new. Not the same as another `start`: code that was compiled before that is counted by functions only. */
  forget(): void {
    this.#missing.clear()
  }

  /** Functions reached so far, and blocks of them that were not. */
  get counts(): { functions: number; missing: number } {
    const missing = [...this.#missing.values()].reduce((sum, blocks) => sum + blocks.size, 0)
    return { functions: this.#missing.size, missing }
  }

  /** Has anything new been reached since the last call? With `learn` it is not new any more. */
  async isNew(learn: boolean): Promise<boolean> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage')
    let found = false
    for (const { url, functions } of result) {
      if (!OURS.test(url)) continue
      for (const each of functions) if (this.#look(url, each, learn)) found = true
    }
    return found
  }

  #look(url: string, { ranges }: Profiler.FunctionCoverage, learn: boolean): boolean {
    const [whole, ...blocks] = ranges
    if (whole === undefined || whole.count === 0) return false
    const missed = new Set(blocks.filter(({ count }) => count === 0).map(r => `${r.startOffset}-${r.endOffset}`))
    const key = `${url}:${whole.startOffset}`
    const known = this.#missing.get(key)
    if (known === undefined) {
      if (learn) this.#missing.set(key, missed)
      return true
    }
    const reached = [...known].filter(block => !missed.has(block))
    if (learn) for (const block of reached) known.delete(block)
    return reached.length > 0
  }
}
