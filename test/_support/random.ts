// Randomness that can be had again.

/** Numbers in [0, 1) from a seed (mulberry32): the same seed gives the same run, so a failure can be repeated. */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `length` bytes from a seed. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const dice = random(seed)
  return Uint8Array.from({ length }, () => dice() * 256)
}
