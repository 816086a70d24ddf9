// The result of `npm run test:faults`.
import Table from 'cli-table3'
import type { Row } from './try.ts'

const HEAD = [
  'fault',
  'noticed after',
  'healed after',
  'survived',
  'wrong',
  'requests and questions failed',
  'kt status said'
]
/** Of the last column. */
const SAID_CHARS = 60

type Result = Row | { fault: string; skipped: string }

/** A line a fault, and below it what was not as it should be. */
export function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: HEAD,
    style: { head: [], border: [] },
    colWidths: [null, null, null, null, null, 36, SAID_CHARS],
    wordWrap: true
  })
  for (const result of results) {
    if ('skipped' in result)
      table.push([result.fault, { colSpan: HEAD.length - 1, content: `not done: ${result.skipped}` }])
    else table.push(cells(result))
  }
  const defects = results.flatMap(result =>
    'skipped' in result ? [] : result.defects.map(text => `✗ ${result.fault}: ${text}`)
  )
  return [table.toString(), ...defects].join('\n')
}

function cells({ fault, noticedMs, healedMs, survived, wrong, failed, said }: Row): string[] {
  return [fault, seconds(noticedMs), seconds(healedMs), survived, String(wrong), failed, said]
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${(ms / 1000).toFixed(1)} s`
}
