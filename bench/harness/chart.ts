// One SVG a case: a panel for each unit, a bar for each row, a whisker from its least to its most.
import { number } from './report.ts'
import type { Row } from './rows.ts'

const WIDTH = 1080
const LABEL = 560
const BAR = 16
const LINE = 24
const SCALE = WIDTH - LABEL - 90

/** `caption`: date, kind of machine, versions. */
export function chart(title: string, caption: string, rows: readonly Row[]): string {
  let y = 64
  const body: string[] = []
  for (const [unit, of] of Map.groupBy(rows.filter(shown), each => each.unit)) {
    const most = Math.max(...of.map(({ max }) => max))
    body.push(text(LABEL, y, unit, 'font-weight="bold"'))
    y += 8
    for (const each of of) {
      body.push(bar(each, y, SCALE / most))
      y += LINE
    }
    y += LINE
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${text(16, 26, title, 'font-size="17"')}
${text(16, 44, caption, 'fill="#666"')}
${body.join('\n')}
</svg>
`
}

/** Of the tables by part only the sum is drawn. */
function shown({ what, value }: Row): boolean {
  return Number.isFinite(value) && (!/: .*: /.test(what) || what.endsWith(': sum'))
}

function bar({ what, value, min, max, ratio, met }: Row, y: number, scale: number): string {
  const colour = met === false ? '#c0504d' : what.includes('kt') && !what.includes('kubectl') ? '#2f7d4f' : '#8aa4c8'
  const middle = y + BAR / 2
  const whisker = `M${LABEL + min * scale} ${middle}H${LABEL + max * scale}`
  return [
    text(LABEL - 8, y + 12, what, 'text-anchor="end"'),
    `<rect x="${LABEL}" y="${y}" width="${Math.max(1, value * scale).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
    `<path d="${whisker}" stroke="#222"/>`,
    text(LABEL + max * scale + 6, y + 12, `${number(value)}${ratio === null ? '' : ` (${ratio.toFixed(2)}×)`}`)
  ].join('')
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const safe = content.replace(/[&<>]/g, each => `&#${each.charCodeAt(0)};`)
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${safe}</text>`
}
