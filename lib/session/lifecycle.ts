// Start in order, stop in reverse: each step leaves its undo here.

interface Undo {
  readonly what: string
  readonly undo: () => void | Promise<void>
  readonly limitMs: number
}

/** No undo may hold up the ones behind it longer than this, unless it says so. */
const UNDO_LIMIT_MS = 20_000

export interface Undone {
  what: string
  ms: number
  error?: unknown
}

export class Lifecycle {
  readonly #undos: Undo[] = []
  #stopping: Promise<void> | undefined

  /** `what` is said when it has been undone: "Routes removed"; empty: nothing is said, because no user would miss it. */
  onStop(what: string, undo: () => void | Promise<void>, limitMs: number = UNDO_LIMIT_MS): void {
    this.#undos.push({ what, undo, limitMs })
  }

  /** Undo everything, last first. Called again: the same promise. An undo that fails or hangs does not stop the others. */
  stop(said: (undone: Undone) => void = () => {}): Promise<void> {
    this.#stopping ??= this.#run(said)
    return this.#stopping
  }

  async #run(said: (undone: Undone) => void): Promise<void> {
    for (let next = this.#undos.pop(); next !== undefined; next = this.#undos.pop()) {
      const began = performance.now()
      const result: Undone = { what: next.what, ms: 0 }
      try {
        await within(next.limitMs, next.undo)
      } catch (error) {
        result.error = error
      }
      result.ms = performance.now() - began
      if (result.what !== '' || result.error !== undefined) said(result)
    }
  }
}

async function within(limitMs: number, f: () => void | Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs)
  })
  try {
    await Promise.race([f(), late])
  } finally {
    clearTimeout(timer)
  }
}
