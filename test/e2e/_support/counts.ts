// What a run of AVA says about itself, in TAP.
import { relative, sep } from 'node:path'

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

/** The titles of the failed tests, with AVA's file in front where there are several. */
export function failedTitles(tap: string): string[] {
  return [...tap.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, title]) => title!)
}

/** What AVA says below a failed test is cut after so many lines and columns: the output of a program may be long. */
const DETAIL_LINES = 40
const DETAIL_COLUMNS = 400

/** Each failed test and, indented, what AVA says of it: for the end of an output of which only the end is kept. */
export function failureDetails(tap: string): string[] {
  return [...tap.matchAll(/^not ok \d+ - (.*)\n((?: .*\n)*)/gm)].flatMap(([, title, said]) => [
    `failed test: ${title}`,
    ...said!
      .trimEnd()
      .split('\n')
      .slice(0, DETAIL_LINES)
      .map(line => `failed test: ${line.slice(0, DETAIL_COLUMNS)}`)
  ])
}

/**
 * Counts of each file of `files` (paths inside `directory`) that has a failed test. Undefined where a failure has no
 * file: then nobody can say what running some of them again would prove.
 */
export function failedFiles(tap: string, directory: string, files: readonly string[]): Map<string, Counts> | undefined {
  const counts = new Map(files.map(file => [file, { passed: 0, failed: 0 }]))
  const prefixes = files
    .map(file => [file, prefixOf(relative(directory, file))] as const)
    .sort(([, a], [, b]) => b.length - a.length) // `a › b` before `a`
  for (const [, not, title] of tap.matchAll(/^(not )?ok \d+ - (.*)$/gm)) {
    const owner = files.length === 1 ? files[0] : prefixes.find(([, prefix]) => title!.startsWith(prefix))?.[0]
    const found = owner === undefined ? undefined : counts.get(owner)
    if (found === undefined) return undefined
    found[not === undefined ? 'passed' : 'failed'] += 1
  }
  return new Map([...counts].filter(([, { failed }]) => failed > 0))
}

/** AVA's name of a file in front of a title. */
function prefixOf(path: string): string {
  return `${path
    .replace(/\.test\.ts$/, '')
    .split(sep)
    .join(' › ')} › `
}

/** Counts of several runs in one. */
export function total(all: Iterable<Counts>): Counts {
  const sum = { passed: 0, failed: 0 }
  for (const { passed, failed } of all) {
    sum.passed += passed
    sum.failed += failed
  }
  return sum
}

/** The last line of `npm run test:e2e`. */
export function summary(all: Iterable<Counts>): string {
  const { passed, failed } = total(all)
  return `${passed} passed, ${failed} failed`
}
