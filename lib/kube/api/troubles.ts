// What does not work at the moment although the rest does: watches that fail again and again.

/** By who has it; the beginning of each is told, and its end. */
export class Troubles {
  readonly #texts = new Map<object, string>()
  /** Something has begun, or ended; the present texts. */
  onChange: ((texts: string[]) => void) | undefined

  get texts(): string[] {
    return [...this.#texts.values()]
  }

  /** Told once, with the first text. */
  begin(who: object, text: string): void {
    if (this.#texts.has(who)) return
    this.#texts.set(who, text)
    this.onChange?.(this.texts)
  }

  end(who: object): void {
    if (this.#texts.delete(who)) this.onChange?.(this.texts)
  }
}
