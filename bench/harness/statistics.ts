// Medians, their spread, and what is compared with what. Pure.

/** Some measurements of one thing. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** What was measured of one thing, by round: the baseline twice in each, a way that has failed not at all. */
export type Rounds = readonly (readonly number[])[]

/** A baseline, and how much of it was measured. */
export interface Comparison {
  /** Median. */
  baseline: number
  ratio: Spread
}

/** NaN in all three when there was nothing. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median =
    sorted.length % 2 === 1
      ? sorted[middle]!
      : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** Each round in which both were measured: the mean of the one and of the other. */
export function pairs(ours: Rounds, baseline: Rounds): [ours: number, baseline: number][] {
  return ours.flatMap((values, round) => {
    const others = baseline[round] ?? []
    return values.length === 0 || others.length === 0 ? [] : [[mean(values), mean(others)] as [number, number]]
  })
}

/** Compared round by round, so that a machine that slows down slows both; undefined when no round has both. */
export function paired(ours: Rounds, baseline: Rounds): Comparison | undefined {
  const ratios = pairs(ours, baseline)
    .map(([a, b]) => a / b)
    .filter(Number.isFinite) // CPU time counts in ticks: what took less than one is no baseline
  return ratios.length === 0 ? undefined : { baseline: spread(baseline.flat()).median, ratio: spread(ratios) }
}

/** Of things that were measured at different times: any of the one may have met any of the other. */
export function unpaired(ours: Spread, baseline: Spread): Comparison {
  return {
    baseline: baseline.median,
    ratio: { median: ours.median / baseline.median, min: ours.min / baseline.max, max: ours.max / baseline.min }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
