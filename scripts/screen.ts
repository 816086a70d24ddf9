// A terminal without a window: which characters stand where. Knows the control sequences (ECMA-48) that kt and its neighbours print.

export interface Cell {
  character: string
  /** Classes of the style sheet in terminal-svg.ts, blanks between them. */
  style: string
}

/** A control sequence, another escape sequence, or a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what begins a sequence
const TOKEN = /\u001b\[([?\d;]*)([@-~])|\u001b[^[]|[\s\S]/gu
/** The beginning of a sequence at the end of a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNFINISHED = /\u001b(\[[?\d;]*)?$/
/** Parameters of SGR (ECMA-48 §8.3.117). */
const STYLES: Record<string, string> = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 33: 'y', 34: 'l', 36: 'c', 90: 'd' }

export class Screen {
  /** Also those that have left the window at its top. */
  readonly lines: Cell[][] = [[]]
  readonly #columns: number
  #line = 0
  #column = 0
  #style = ''
  #rest = ''

  constructor(columns: number) {
    this.#columns = columns
  }

  /** What a program prints; a sequence may be cut in two. */
  write(text: string): void {
    const all = this.#rest + text
    this.#rest = UNFINISHED.exec(all)?.[0] ?? ''
    for (const [token, parameters = '', final] of all.slice(0, all.length - this.#rest.length).matchAll(TOKEN)) {
      if (final !== undefined) this.#control(final, parameters)
      else if (token === '\r') this.#column = 0
      else if (token === '\n') this.#move(1)
      else if (token === '\b') this.#column = Math.max(0, this.#column - 1)
      else if (token >= ' ') this.#put(token)
    }
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) {
      this.#column = 0
      this.#move(1)
    }
    const line = this.lines[this.#line]!
    while (line.length < this.#column) line.push({ character: ' ', style: '' })
    line[this.#column++] = { character, style: this.#style }
  }

  #control(final: string, parameters: string): void {
    const count = Number(parameters) || 1
    if (final === 'A') this.#move(-count)
    else if (final === 'B') this.#move(count)
    else if (final === 'G') this.#column = count - 1
    else if (final === 'K') this.#erase(parameters)
    else if (final === 'm') for (const each of parameters.split(';')) this.#select(each)
  }

  /** To the end of the line, or with 2 all of it. */
  #erase(parameters: string): void {
    const line = this.lines[this.#line]!
    line.length = parameters === '2' ? 0 : Math.min(this.#column, line.length)
  }

  /** 0, 22 and 39 end one thing each for a terminal; here each ends all, which is the same where nothing is nested. */
  #select(parameter: string): void {
    const style = STYLES[parameter]
    this.#style = style === undefined ? '' : `${this.#style} ${style}`.trim()
  }

  #move(lines: number): void {
    this.#line = Math.max(0, this.#line + lines)
    while (this.lines.length <= this.#line) this.lines.push([])
  }
}
