// Regular expressions in linear time: somebody's `(a+)+b` must not stand in the way of everybody's requests.
import { setFlagsFromString } from 'node:v8'

/** Longest pattern, characters: what a person writes to tell versions apart. */
const MAX_PATTERN = 512

// V8's non-backtracking engine, in every Node from 16 on; it refuses what it cannot do in linear time.
setFlagsFromString('--enable-experimental-regexp-engine')

/** A test whether the whole of a value matches `pattern`; throws an Error of one line where it cannot be had. */
export function linear(pattern: string): (value: string) => boolean {
  if (pattern.length > MAX_PATTERN) throw new Error(`longer than ${MAX_PATTERN} characters`)
  let expression: RegExp
  try {
    new RegExp(pattern, 'l') // alone first: `a)|(b` must not get around the anchors
    expression = new RegExp(`^(?:${pattern})$`, 'l')
  } catch (error) {
    const reason = (error as Error).message.split(': ').at(-1) ?? ''
    throw new Error(reason === '' ? 'not a regular expression' : reason.toLowerCase())
  }
  return value => expression.test(value)
}
