// Whether two runs say the same: a figure that another run does not repeat says nothing.
import { number } from './report.ts'
import type { Row } from './rows.ts'

/** One line for people, and below it each row whose spread does not meet that of the same row in the other run. Rows of one run only are left out. */
export function agreement(rows: readonly Row[], others: readonly Row[], name: string): string {
  const other = new Map(others.map(row => [key(row), row]))
  const both = rows.filter(row => other.has(key(row)) && Number.isFinite(row.value))
  const apart = both.filter(row => row.min > other.get(key(row))!.max || row.max < other.get(key(row))!.min)
  const lines = apart.map(row => `  ${row.what}: ${range(row)}, there ${range(other.get(key(row))!)} ${row.unit}`)
  return [`the spreads of ${both.length - apart.length} of ${both.length} lines meet those of ${name}`, ...lines].join(
    '\n'
  )
}

function key(row: Row): string {
  return `${row.case} ${row.what}`
}

function range({ min, max }: Row): string {
  return `${number(min)} … ${number(max)}`
}
