// Quantities of Kubernetes (`500m`, `128Mi`) as numbers, and divided as a resourceFieldRef divides them.

/** Powers of the suffixes; https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/. */
const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60
}

/** In units: cores, bytes. Undefined for what is no quantity. */
export function parseQuantity(text: string): number | undefined {
  const [, digits, suffix = '', exponent] =
    /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]i?)|[eE]([+-]?\d+))?$/.exec(text) ?? []
  const factor = exponent === undefined ? SUFFIXES[suffix] : 10 ** Number(exponent)
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}

/** `quantity / divisor`, rounded up, as the kubelet gives it to a container; a divisor of 0 or '' is 1. */
export function divided(quantity: string, divisor: string): string | undefined {
  const [value, by] = [parseQuantity(quantity), parseQuantity(divisor || '1')]
  if (value === undefined || by === undefined) return undefined
  // 0.3 / 0.001 is a little more than 300 in binary: what is that near is meant.
  return String(Math.ceil(value / (by || 1) - 1e-6))
}
