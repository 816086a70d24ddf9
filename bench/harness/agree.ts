// Whether two runs say the same: a figure that another run does not repeat says nothing.
import { number } from './report.ts'
import type { Row } from './rows.ts'

/** Two lines of the same name. */
interface Both {
  row: Row
  other: Row
}

/** Read the JSON of an earlier run; throws when it lacks what is compared. */
export function earlierRows(json: string, name: string): Row[] {
  const rows = JSON.parse(json) as Row[]
  if (!Array.isArray(rows) || rows.some(row => row.ratioMin === undefined || row.ratioMax === undefined))
    throw new Error(`${name} is of an older form, without the spread of the ratios; measure it anew`)
  return rows
}

/**
 * One line for people, and below it each row whose spread does not meet that of the same row in the other run: of its ratios, or of its values where it
 * has no baseline. Rows of one run only are left out.
 */
export function agreement(rows: readonly Row[], others: readonly Row[], name: string): string {
  const known = new Map(others.map(row => [key(row), row]))
  const both = rows.flatMap(row => {
    const other = known.get(key(row))
    return other && Number.isFinite(row.value) && Number.isFinite(other.value) ? [{ row, other }] : []
  })
  const compared = both.filter(({ row, other }) => row.ratio !== null && other.ratio !== null)
  const plain = both.filter(each => !compared.includes(each))
  const ratios = apart(compared, ratioRange)
  const values = apart(plain, valueRange)
  return [
    `the spreads of ${compared.length - ratios.length} of ${compared.length} ratios and of ${plain.length - values.length} of ${plain.length} figures without a baseline meet those of ${name}`,
    ...ratios.map(each => difference(each, ratioRange, '×')),
    ...values.map(each => difference(each, valueRange, each.row.unit))
  ].join('\n')
}

type Range = [min: number, max: number]

function ratioRange({ ratioMin, ratioMax }: Row): Range {
  return [ratioMin!, ratioMax!]
}

function valueRange({ min, max }: Row): Range {
  return [min, max]
}

function apart(both: readonly Both[], rangeOf: (row: Row) => Range): Both[] {
  return both.filter(({ row, other }) => {
    const [min, max] = rangeOf(row)
    const [otherMin, otherMax] = rangeOf(other)
    return min > otherMax || max < otherMin
  })
}

function difference({ row, other }: Both, rangeOf: (row: Row) => Range, unit: string): string {
  const text = (of: Row): string => rangeOf(of).map(number).join(' … ')
  return `  ${row.what}: ${text(row)}, there ${text(other)} ${unit}`
}

function key(row: Row): string {
  return `${row.case} ${row.what}`
}
