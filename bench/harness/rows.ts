// What a benchmark says: rows, each with a value, its spread, and what it is to be compared with.
import type { Comparison, Spread } from './statistics.ts'

/** One line of the result; the names are those of the JSON output and stay. */
export interface Row {
  case: string
  what: string
  unit: string
  /** Median. */
  value: number
  min: number
  max: number
  /** What it is compared with, measured in the same run: its median; null when there is nothing. */
  baseline: number | null
  /** Median of the ratios of the rounds, which need not be value / baseline; null without a baseline, as are the next two. */
  ratio: number | null
  ratioMin: number | null
  ratioMax: number | null
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
  { against, goal }: { against?: Comparison | undefined; goal?: Goal | undefined } = {}
): Row {
  const judged = goal && (goal.of === 'value' ? measured.median : against?.ratio.median)
  const sign = goal?.of === 'ratio' ? '× ' : ''
  return {
    ...where,
    value: measured.median,
    min: measured.min,
    max: measured.max,
    baseline: against?.baseline ?? null,
    ratio: against?.ratio.median ?? null,
    ratioMin: against?.ratio.min ?? null,
    ratioMax: against?.ratio.max ?? null,
    goal: goal ? (goal.least === undefined ? `≤ ${sign}${bound(goal.most)}` : `≥ ${sign}${bound(goal.least)}`) : null,
    met:
      judged === undefined
        ? null
        : judged >= (goal?.least ?? Number.NEGATIVE_INFINITY) && judged <= (goal?.most ?? Number.POSITIVE_INFINITY)
  }
}

function bound(value: number | undefined): string {
  return String(Number(value?.toPrecision(3)))
}
