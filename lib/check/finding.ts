// One line of `kt check`.
import { KtError } from '../errors.ts'

/** `fault`: kt up would not work. `warning`: it would, and something is wrong. `unknown`: it could not be found out. */
export type Verdict = 'ok' | 'warning' | 'fault' | 'unknown'

/** Field names are stable: `kt check --output json` prints them. */
export interface Finding {
  /** What was looked at, one stable word or two with a dash. */
  check: string
  verdict: Verdict
  /** One line without a full stop. */
  text: string
  /** What to do, one line; empty when there is nothing. */
  fix: string
}

export const ok = (check: string, text: string): Finding => ({ check, verdict: 'ok', text, fix: '' })
export const fault = (check: string, text: string, fix: string): Finding => ({ check, verdict: 'fault', text, fix })
export const warning = (check: string, text: string, fix: string): Finding => ({ check, verdict: 'warning', text, fix })
export const unknown = (check: string, text: string): Finding => ({ check, verdict: 'unknown', text, fix: '' })

/** What a KtError says, as a fault. Anything else is ours and goes on. */
export function faultOf(check: string, error: unknown): Finding {
  if (error instanceof KtError) return fault(check, error.message, error.hint)
  throw error
}
