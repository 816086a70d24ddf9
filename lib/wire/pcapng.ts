// The capture format of Wireshark for raw IP packets, with a comment on each and the names of addresses.
// https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcapng

const SECTION = 0x0a0d0d0a
const BYTE_ORDER = 0x1a2b3c4d
const INTERFACE = 1
const NAMES = 4
const PACKET = 6
const LINKTYPE_RAW = 101
/** Type, length at both ends. */
const FRAME_BYTES = 12
/** Options: the same numbers mean something else in each block. */
const COMMENT = 1
const USER_APPLICATION = 4
const IF_NAME = 2
const EPB_FLAGS = 2
/** epb_flags, bits 0 and 1. */
const DIRECTION = { in: 1, out: 2 } as const

/** What a file begins with: who writes it, and the one interface. */
export function pcapngHeader(application: string, device: string): Uint8Array {
  const section = new DataView(new ArrayBuffer(16))
  section.setUint32(0, BYTE_ORDER)
  section.setUint16(4, 1) // version 1.0
  section.setBigInt64(8, -1n) // its length is not known yet
  const link = new DataView(new ArrayBuffer(8))
  link.setUint16(0, LINKTYPE_RAW) // snap length 0: none
  return joined([
    block(SECTION, [bytesOf(section), options([[USER_APPLICATION, utf8(application)]])]),
    block(INTERFACE, [bytesOf(link), options([[IF_NAME, utf8(device)]])])
  ])
}

export interface PcapngPacket {
  bytes: Uint8Array
  start: number
  end: number
  /** Milliseconds since 1970. */
  timeMs: number
  direction: 'in' | 'out'
  /** Shown beside the packet; empty: none. */
  comment: string
}

/** The block of the packet in `bytes[start, end)`, as an array of its own. */
export function pcapngPacket({ bytes, start, end, timeMs, direction, comment }: PcapngPacket): Uint8Array {
  const micros = BigInt(Math.floor(timeMs * 1000))
  const head = new DataView(new ArrayBuffer(20))
  head.setUint32(4, Number(micros >> 32n))
  head.setUint32(8, Number(micros & 0xffff_ffffn))
  head.setUint32(12, end - start)
  head.setUint32(16, end - start)
  const flags = new DataView(new ArrayBuffer(4))
  flags.setUint32(0, DIRECTION[direction])
  const list: Option[] = [[EPB_FLAGS, bytesOf(flags)]]
  if (comment !== '') list.unshift([COMMENT, utf8(comment)])
  return block(PACKET, [bytesOf(head), padded(bytes.subarray(start, end)), options(list)])
}

/** The block that gives an address (4 or 16 bytes) its names. */
export function pcapngName(address: Uint8Array, names: readonly string[]): Uint8Array {
  const text = joined(names.map(name => utf8(`${name}\0`)))
  const record = new DataView(new ArrayBuffer(4))
  record.setUint16(0, address.length === 4 ? 1 : 2)
  record.setUint16(2, address.length + text.length)
  const end = new Uint8Array(4)
  return block(NAMES, [bytesOf(record), padded(joined([address, text])), end])
}

type Option = readonly [code: number, value: Uint8Array]

function options(list: readonly Option[]): Uint8Array {
  const parts = list.flatMap(([code, value]) => {
    const head = new DataView(new ArrayBuffer(4))
    head.setUint16(0, code)
    head.setUint16(2, value.length)
    return [bytesOf(head), padded(value)]
  })
  return joined([...parts, new Uint8Array(4)]) // opt_endofopt
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = joined(parts)
  const whole = new Uint8Array(FRAME_BYTES + body.length)
  const view = new DataView(whole.buffer)
  view.setUint32(0, type)
  view.setUint32(4, whole.length)
  whole.set(body, 8)
  view.setUint32(whole.length - 4, whole.length)
  return whole
}

/** Blocks and options are filled up to 32 bits. */
function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4
  return rest === 0 ? bytes : joined([bytes, new Uint8Array(4 - rest)])
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const bytesOf = (view: DataView): Uint8Array => new Uint8Array(view.buffer)
/** Comments and names are cut to what an option can hold. */
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text).subarray(0, 0xfff0)
