// RFC 9293 §3.4: numbers on a circle of 2³², kept as int32 so that V8 stores them unboxed.

/** A sequence number as int32; compare only with the functions of this file or with `===`. */
export type Seq = number

export function seqAdd(a: Seq, n: number): Seq {
  return (a + n) | 0
}

/** How far `b` lies ahead of `a`; negative when it lies behind. */
export function seqDiff(a: Seq, b: Seq): number {
  return (b - a) | 0
}

export function seqLt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0
}

export function seqLe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0
}
