// RFC 9293 §3.2 and RFC 7323 §2: the options of a SYN. Options of later segments are not read: neither timestamps nor SACK are
// agreed upon. Timestamps would cost 12 bytes and a parse per segment; an RTT sample per window is enough on a link inside one
// machine, and old duplicates (PAWS) cannot outlive a device queue that holds far less than 2³¹ bytes.
import { setU8, setU16, u8, u16, u32 } from './bytes.ts'
import { HEADER_LENGTH, type TcpView } from './tcp.ts'

const END_OF_LIST = 0
const NO_OPERATION = 1
const MSS = 2
const WINDOW_SCALE = 3
const SACK_PERMITTED = 4
const TIMESTAMPS = 8

/** RFC 7323 §2.3: a larger shift is to be taken as this one. */
const MAX_SHIFT = 14

/** Room that `emitSynOptions` may need, in bytes. */
export const SYN_OPTIONS_MAX = 8

/** What the peer's SYN offers; undefined: the option is not there. */
export interface SynOptions {
  /** Largest text the peer takes in one segment, in bytes. */
  mss: number | undefined
  /** Shift of the peer's window field, 0 to 14. */
  windowScale: number | undefined
  sackPermitted: boolean
  /** TSval. */
  timestamp: number | undefined
}

/** Read the options of a SYN. At the first malformed one reading ends; what stood before it counts. */
export function parseSynOptions(seg: TcpView): SynOptions {
  const found: SynOptions = { mss: undefined, windowScale: undefined, sackPermitted: false, timestamp: undefined }
  const { bytes, textStart: end } = seg
  let i = seg.start + HEADER_LENGTH
  while (i < end) {
    const kind = u8(bytes, i)
    if (kind === END_OF_LIST) break
    if (kind === NO_OPERATION) {
      i++
      continue
    }
    const length = i + 1 < end ? u8(bytes, i + 1) : 0
    if (length < 2 || i + length > end) break
    if (kind === MSS && length === 4) found.mss = u16(bytes, i + 2)
    else if (kind === WINDOW_SCALE && length === 3) found.windowScale = Math.min(u8(bytes, i + 2), MAX_SHIFT)
    else if (kind === SACK_PERMITTED && length === 2) found.sackPermitted = true
    else if (kind === TIMESTAMPS && length === 10) found.timestamp = u32(bytes, i + 2)
    i += length
  }
  return found
}

/** Write MSS and, unless undefined, window scale at `bytes[at]`; the number of bytes, a multiple of 4. */
export function emitSynOptions(bytes: Uint8Array, at: number, mss: number, windowScale: number | undefined): number {
  setU8(bytes, at, MSS)
  setU8(bytes, at + 1, 4)
  setU16(bytes, at + 2, mss)
  if (windowScale === undefined) return 4
  setU8(bytes, at + 4, NO_OPERATION)
  setU8(bytes, at + 5, WINDOW_SCALE)
  setU8(bytes, at + 6, 3)
  setU8(bytes, at + 7, windowScale)
  return 8
}
