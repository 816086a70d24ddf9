// Big-endian reads and writes on plain bytes: the only file that indexes a buffer. The caller has checked the length.

export function u8(b: Uint8Array, i: number): number {
  return b[i]!
}

export function u16(b: Uint8Array, i: number): number {
  return (b[i]! << 8) | b[i + 1]!
}

export function u32(b: Uint8Array, i: number): number {
  return ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0
}

/** Four bytes as int32, for sequence numbers: V8 keeps an int32 unboxed, a uint32 above 2³¹ not. */
export function i32(b: Uint8Array, i: number): number {
  return (b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!
}

export function setU8(b: Uint8Array, i: number, value: number): void {
  b[i] = value
}

export function setU16(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 8
  b[i + 1] = value
}

/** Takes int32 and uint32 alike. */
export function setU32(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 24
  b[i + 1] = value >>> 16
  b[i + 2] = value >>> 8
  b[i + 3] = value
}
