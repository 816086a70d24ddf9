// What a terminal has shown, as an animated SVG that needs no script: each text of each line is visible for its time.
import { type Cell, Screen } from './screen.ts'

/** Output of a terminal. */
export interface Output {
  /** Since the beginning, ms. */
  at: number
  text: string
}

/** A text of a line, as markup, visible from and until, in ms. */
interface Shown {
  line: number
  markup: string
  from: number
  until: number
}

/** Size of a cell, px; the font is as wide as `textLength` makes it. */
const [WIDTH, HEIGHT] = [8.4, 18]
const MARGIN = 14
/** Changes within this time are one: nobody sees more. */
const FRAME_MS = 90
/** How long the last picture stays. */
const HOLD_MS = 5_000
const SHEET = `text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d6deeb;white-space:pre}
.b{font-weight:bold}.d{fill:#7f8ea3}.r{fill:#ff7b72}.g{fill:#7ee787}.y{fill:#e3c370}.l{fill:#79c0ff}.c{fill:#76d9e6}
@media (prefers-reduced-motion:reduce){*{animation:none!important}}`

/** The picture of a terminal with so many columns and rows; `outputs` in the order of time. It repeats. */
export function terminalSvg(outputs: readonly Output[], columns: number, rows: number): string {
  const screen = new Screen(columns)
  const shown: Shown[] = []
  const now = new Map<number, Shown>()
  const tops: { at: number; top: number }[] = []
  let begin = 0
  outputs.forEach(({ at, text }, i) => {
    if (i === 0 || at - begin >= FRAME_MS) begin = at
    screen.write(text)
    const next = outputs[i + 1]
    if (next !== undefined && next.at - begin < FRAME_MS) return
    screen.lines.forEach((cells, line) => {
      const markup = markupOf(cells)
      const before = now.get(line)
      if ((before?.markup ?? '') === markup) return
      if (before !== undefined) before.until = begin
      const entry = { line, markup, from: begin, until: Number.POSITIVE_INFINITY }
      now.set(line, entry)
      if (markup !== '') shown.push(entry)
    })
    const top = Math.max(0, screen.lines.length - rows)
    if (top !== (tops.at(-1)?.top ?? 0)) tops.push({ at: begin, top })
  })
  return picture(shown, tops, begin + HOLD_MS, { columns, rows })
}

/** Neighbours of one style together. */
function markupOf(cells: readonly Cell[]): string {
  const used = cells.slice(0, cells.findLastIndex(({ character }) => character !== ' ') + 1)
  const runs: Cell[] = []
  for (const { character, style } of used) {
    const last = runs.at(-1)
    if (last?.style === style) last.character += character
    else runs.push({ character, style })
  }
  const length = used.length === 0 ? '' : ` textLength="${(used.length * WIDTH).toFixed(1)}">`
  return length + runs.map(({ character, style }) => span(escaped(character), style)).join('')
}

const span = (text: string, style: string): string => (style === '' ? text : `<tspan class="${style}">${text}</tspan>`)

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function picture(
  shown: readonly Shown[],
  tops: readonly { at: number; top: number }[],
  totalMs: number,
  { columns, rows }: { columns: number; rows: number }
): string {
  const percent = (ms: number): string => `${((ms / totalMs) * 100).toFixed(2)}%`
  const seconds = `${(totalMs / 1000).toFixed(1)}s step-end infinite`
  const shift = (top: number): string => `{transform:translateY(${-top * HEIGHT}px)}`
  const scroll = tops.map(({ at, top }) => percent(at) + shift(top)).join('')
  const last = shift(tops.at(-1)?.top ?? 0)
  const rules = [SHEET, `.s${last}`, `.s{animation:s ${seconds}}@keyframes s{0%${shift(0)}${scroll}100%${last}}`]
  // Lines that come and go together share a rule.
  const groups = Map.groupBy(
    shown,
    ({ from, until }) => `${percent(from)} ${until === Number.POSITIVE_INFINITY ? '' : percent(until)}`
  )
  const parts = [...groups].map(([times, entries], at) => {
    const [from, until = ''] = times.split(' ')
    const end = until === '' ? '100%{visibility:visible}' : `${until},100%{visibility:hidden}`
    rules.push(
      `.v${at}{${until === '' ? '' : 'visibility:hidden;'}animation:v${at} ${seconds}}@keyframes v${at}{0%{visibility:hidden}${from}{visibility:visible}${end}}`
    )
    return `<g class="v${at}">${entries.map(({ line, markup }) => `<text y="${(line + 1) * HEIGHT - 5}"${markup}</text>`).join('')}</g>`
  })
  const [width, height] = [Math.ceil(columns * WIDTH), rows * HEIGHT]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 2 * MARGIN} ${height + 2 * MARGIN}" role="img" aria-label="kt in a terminal">
<style>${rules.join('\n')}</style>
<rect width="100%" height="100%" rx="8" fill="#0f1722"/>
<svg x="${MARGIN}" y="${MARGIN}" width="${width}" height="${height}"><g class="s">
${parts.join('\n')}
</g></svg>
</svg>
`
}
