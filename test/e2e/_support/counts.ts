// What a run of AVA says about itself, in TAP.

/** Tests of one area; skipped ones are in neither. */
export interface Counts {
  passed: number
  failed: number
}

/** The counts at the end of AVA's TAP; a run that broke off before them, or failed without a failed test, has one failure. */
export function tapCounts(tap: string, exitCode: number): Counts {
  const count = (name: string): number | undefined => {
    const found = new RegExp(`^# ${name} (\\d+)$`, 'm').exec(tap)
    return found ? Number(found[1]) : undefined
  }
  const passed = count('pass') ?? 0
  const failed = count('fail') ?? 1
  return { passed, failed: exitCode !== 0 && failed === 0 ? 1 : failed }
}

/** The last line of `npm run test:e2e`. */
export function summary(all: Counts[]): string {
  const sum = (pick: (counts: Counts) => number): number => all.reduce((total, counts) => total + pick(counts), 0)
  return `${sum(counts => counts.passed)} passed, ${sum(counts => counts.failed)} failed`
}
