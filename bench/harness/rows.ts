// What a benchmark says: rows, each with a value, its spread, and what it is to be compared with.
import type { Spread } from './statistics.ts'

/** One line of the result; the names are those of the JSON output and stay. */
export interface Row {
  case: string
  what: string
  unit: string
  /** Median. */
  value: number
  min: number
  max: number
  /** What it is compared with, measured in the same run; null when there is nothing. */
  baseline: number | null
  /** value / baseline. */
  ratio: number | null
  /** DESIGN.md §4, as text; null when the line has no goal. */
  goal: string | null
  /** Whether the goal is met; null without one. */
  met: boolean | null
}

/** A bound for the value, or for the ratio. */
export interface Goal {
  of: 'value' | 'ratio'
  /** The least or the most that is good enough. */
  least?: number
  most?: number
}

/** Make a row. */
export function row(
  where: { case: string; what: string; unit: string },
  measured: Spread,
  compare: { baseline?: number | undefined; goal?: Goal | undefined } = {}
): Row {
  const baseline = compare.baseline ?? null
  const ratio = baseline === null ? null : measured.median / baseline
  const { goal } = compare
  const judged = goal && (goal.of === 'value' ? measured.median : ratio)
  const sign = goal?.of === 'ratio' ? '× ' : ''
  return {
    ...where,
    value: measured.median,
    min: measured.min,
    max: measured.max,
    baseline,
    ratio,
    goal: goal ? (goal.least === undefined ? `≤ ${sign}${bound(goal.most)}` : `≥ ${sign}${bound(goal.least)}`) : null,
    met:
      judged === undefined || judged === null
        ? null
        : judged >= (goal?.least ?? Number.NEGATIVE_INFINITY) && judged <= (goal?.most ?? Number.POSITIVE_INFINITY)
  }
}

function bound(value: number | undefined): string {
  return String(Number(value?.toPrecision(3)))
}
