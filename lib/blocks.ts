// Memory for bytes in bulk that goes round instead of to the garbage collector. V8 counts an ArrayBuffer as external memory and
// begins a full mark-sweep after 64 MB of it: left to it, a relay spends a third of its CPU time on collecting.

/** Size of a block, bytes: the longest chunk that streams hand on, and the longest payload of a DATA frame of the mux. */
export const BLOCK_BYTES = 65_536
/** Blocks kept for the next taker, 16 MiB: as much as the mux has on the way and gives back when it is acknowledged (MAX_FLIGHT). */
const FREE_MAX = 256

const free: ArrayBuffer[] = []
const taken = new WeakSet<ArrayBufferLike>()

/** A block with any content. It belongs to the taker, who may give it back or forget it. */
export function takeBlock(): Buffer<ArrayBuffer> {
  const memory = free.pop() ?? new ArrayBuffer(BLOCK_BYTES)
  taken.add(memory)
  return Buffer.from(memory)
}

/** Whether `bytes` is the beginning of a block that somebody has taken. */
export function isBlock(bytes: Uint8Array): boolean {
  return bytes.byteOffset === 0 && bytes.buffer.byteLength === BLOCK_BYTES && taken.has(bytes.buffer)
}

/** Give back the block that `bytes` is the beginning of: nobody may use it any more. Everything else is ignored. */
export function giveBlock(bytes: Uint8Array): void {
  const memory = bytes.buffer
  if (bytes.byteOffset === 0 && taken.delete(memory) && free.length < FREE_MAX) free.push(memory as ArrayBuffer)
}
