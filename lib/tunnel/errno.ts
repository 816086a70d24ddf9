// What the kernel says about a dial → what the other side hears. spec.md, "Requests".
import type { Verdict } from './request.ts'

const VERDICTS: Record<string, Verdict> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'not-found',
  EAI_AGAIN: 'not-found',
  EACCES: 'denied',
  EPERM: 'denied',
  // This pod has no more descriptors or memory: nothing is wrong with the target.
  EMFILE: 'busy',
  ENFILE: 'busy',
  ENOBUFS: 'busy',
  ENOMEM: 'busy'
}

export function verdictOf(error: unknown): Verdict {
  return VERDICTS[codeOf(error)] ?? 'failed'
}

/** A name with several addresses fails with an AggregateError, which carries the code of one of them. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && !('code' in error)) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
