// One line a step: ✓ or ✗, what was done, what came back, how long it took.

/** Columns of what was done. */
const WIDTH = 62

export class Steps {
  #passed = 0
  #failed = 0
  #silent: boolean = false

  /** Do it; what it returns is shown. A step that rejects is counted, shown with its reason, and does not stop the others. */
  async check(what: string, run: () => Promise<string>): Promise<void> {
    const began = performance.now()
    const took = (): string => `${((performance.now() - began) / 1000).toFixed(2)} s`
    try {
      const came = await run()
      this.#passed++
      this.#say(`✓ ${what.padEnd(WIDTH)} ${came} (${took()})`)
    } catch (error) {
      this.#failed++
      this.#say(`✗ ${what.padEnd(WIDTH)} ${error instanceof Error ? error.message : String(error)} (${took()})`)
    }
  }

  /** Say nothing any more: what is under way fails because everything is being taken down. */
  silence(): void {
    this.#silent = true
  }

  #say(line: string): void {
    if (!this.#silent) console.log(line)
  }

  /** Say how it went; the exit code. */
  summary(): number {
    console.log(`\n${this.#passed} steps as they should be${this.#failed === 0 ? '' : `, ${this.#failed} not`}`)
    return this.#failed === 0 ? 0 : 1
  }
}
