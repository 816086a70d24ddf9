// What a list of measured times says.

/** The value that the given share of the others does not exceed: 0.5 is the median. NaN for an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** Milliseconds for people. */
export function inMs(values: readonly number[]): string {
  const text = (share: number): string => quantile(values, share).toFixed(1)
  return `p50 ${text(0.5)} ms, p99 ${text(0.99)} ms, most ${text(1)} ms`
}
