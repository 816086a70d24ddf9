// New inputs from those that led somewhere.

/** Longest input, bytes: headers of everything fit in, and it is quick. */
const MAX_BYTES = 2_048
/** Changes of one input at most. */
const MAX_CHANGES = 6
/** Numbers at which lengths, ids and windows turn. */
const EDGES = [0, 1, 2, 4, 7, 8, 13, 10, 16, 31, 32, 63, 64, 100, 127, 128, 192, 254, 255]

/** A few changes to one input of `corpus`, or two of them joined. `dice` gives numbers in [0, 1). */
export function mutate(corpus: readonly Uint8Array[], dice: () => number): Uint8Array {
  const below = (n: number): number => Math.floor(dice() * n)
  const pick = (): Uint8Array => corpus[below(corpus.length)]!
  let bytes = Uint8Array.from(pick())
  for (let left = 1 + below(MAX_CHANGES); left > 0; left--) bytes = change(bytes, pick(), below)
  return bytes.subarray(0, MAX_BYTES)
}

function change(
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  below: (n: number) => number
): Uint8Array<ArrayBuffer> {
  const at = below(bytes.length + 1)
  const length = below(Math.min(64, bytes.length - at + 1))
  switch (below(7)) {
    case 0:
      return with_(bytes, at, b => b ^ (1 << below(8)))
    case 1:
      return with_(bytes, at, () => below(256))
    case 2:
      return with_(bytes, at, () => EDGES[below(EDGES.length)]!)
    case 3:
      return with_(bytes, at, b => b + below(9) - 4)
    case 4: // cut out
      return joined(bytes.subarray(0, at), bytes.subarray(at + length))
    case 5: // twice
      return joined(bytes.subarray(0, at + length), bytes.subarray(at))
    default: // a piece of another one
      return splice(bytes, at, other, below)
  }
}

function splice(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  below: (n: number) => number
): Uint8Array<ArrayBuffer> {
  const from = below(other.length + 1)
  const piece = other.subarray(from, from + below(other.length - from + 1))
  return joined(
    bytes.subarray(0, at),
    piece,
    bytes.subarray(below(2) === 0 ? at : Math.min(bytes.length, at + piece.length))
  )
}

function with_(bytes: Uint8Array<ArrayBuffer>, at: number, f: (byte: number) => number): Uint8Array<ArrayBuffer> {
  if (at < bytes.length) bytes[at] = f(bytes[at]!)
  return bytes
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts))
}
