// The result as tables for people. Rows whose `what` has three parts, `GROUP: WAY: PART`, become one table per group.
import type { Row } from './rows.ts'

/** All rows of one case as text. */
export function table(rows: readonly Row[]): string {
  const plain = rows.filter(({ what }) => parts(what).length < 3)
  const nested = Map.groupBy(
    rows.filter(({ what }) => parts(what).length >= 3),
    ({ what, unit }) => `${parts(what)[0]} [${unit}]`
  )
  return [columns(plain.map(line), HEAD), ...[...nested].map(([group, of]) => pivot(group, of))].join('\n\n')
}

const HEAD = ['', 'median', '', 'min … max', 'baseline', 'ratio', 'min … max', 'goal', '']

function line(each: Row): string[] {
  const { what, value, unit, min, max, baseline, ratio, ratioMin, ratioMax, goal } = each
  return [
    what,
    number(value),
    unit,
    range(min, max),
    baseline === null ? '' : number(baseline),
    ratio === null ? '' : `${number(ratio)} ×`,
    ratioMin === null || ratioMax === null ? '' : range(ratioMin, ratioMax),
    goal ?? '',
    verdict(each)
  ]
}

/** Nothing where it was measured once. */
function range(min: number, max: number): string {
  return min === max ? '' : `${number(min)} … ${number(max)}`
}

/** Whether the goal is met, and if not, by how much not. */
function verdict({ met, goal, value, ratio }: Row): string {
  if (met === null || goal === null) return ''
  if (met) return 'met'
  const bound = Number(/[\d.]+/.exec(goal)?.[0])
  const measured = goal.includes('×') ? ratio! : value
  return `missed by ${Math.abs((measured / bound - 1) * 100).toFixed(0)} %`
}

function pivot(group: string, rows: readonly Row[]): string {
  const names = [...new Set(rows.map(({ what }) => parts(what)[2]!))]
  const lines = [...Map.groupBy(rows, ({ what }) => parts(what)[1]!)].map(([way, of]) => [
    way,
    ...names.map(name => {
      const found = of.find(({ what }) => parts(what)[2] === name)
      if (!found) return ''
      return `${number(found.value)}${found.goal === null ? '' : ` (${found.goal})`}`
    })
  ])
  return columns(lines, [group, ...names])
}

function parts(what: string): string[] {
  return what.split(': ')
}

/** Three digits are more than one run is worth. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function columns(lines: readonly string[][], head: readonly string[]): string {
  if (lines.length === 0) return ''
  const all = [head, ...lines]
  const widths = head.map((_, column) => Math.max(...all.map(cells => cells[column]!.length)))
  return all
    .map(cells =>
      cells
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
