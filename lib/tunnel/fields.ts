// Reading a configuration field by field: whatever is not exactly right is an Error of one line that names the field.

/** The value of a JSON text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return wrong('the configuration', 'JSON')
  }
}

/** `value` as an object, by the name it has in the error. */
export function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrong(at, 'an object')
  return value as Record<string, unknown>
}

/** Fields that nobody knows: a typing error, or a newer version's. */
export function noFurther(rest: Record<string, unknown>, at: string): void {
  for (const key of Object.keys(rest)) wrong(at, `without "${key}"`)
}

/** A port number that can be listened at. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536
}

/** A name in the DNS, or nothing. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^([a-z0-9_-]+\.)*[a-z0-9_-]*$/i.test(value)
}

/** Throw the Error. */
export function wrong(at: string, expected: string): never {
  throw new Error(`${at} must be ${expected}`)
}
