// Memory for bytes in bulk that goes round instead of to the garbage collector. V8 counts an ArrayBuffer as external memory and
// begins a full mark-sweep after 64 MB of it: left to it, a relay spends a third of its CPU time on collecting.

/** Size of a block, bytes: the longest chunk that streams hand on, and the longest payload of a DATA frame of the mux. */
export const BLOCK_BYTES = 65_536
/** Blocks kept for the next taker, 16 MiB: what 64 flows give back and take again within a second. With 8 MiB the client takes no less memory. */
const FREE_MAX = 256
/** Node 20 cannot free memory: what is given up there stays until V8 collects garbage, beside what is made anew. */
const CAN_FREE = 'transfer' in ArrayBuffer.prototype

const free: ArrayBuffer[] = []
/** The least that lay in `free` since `freeUnused` was called last: nobody has needed so many. */
let unused = 0
const taken = new WeakSet<ArrayBufferLike>()

/** A block with any content. It belongs to the taker, who may give it back or forget it. */
export function takeBlock(): Buffer<ArrayBuffer> {
  const memory = free.pop() ?? new ArrayBuffer(BLOCK_BYTES)
  if (free.length < unused) unused = free.length
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
  if (bytes.byteOffset !== 0 || !taken.delete(memory)) return
  if (free.length < FREE_MAX) free.push(memory as ArrayBuffer)
  else freeMemory(memory as ArrayBuffer)
}

/** To be called every few seconds: what nobody has needed since the last call is given back to the system. */
export function freeUnused(): void {
  if (!CAN_FREE) return
  for (const memory of free.splice(0, unused)) freeMemory(memory)
  unused = free.length
}

/** Give memory that nobody uses any more back at once, and not when V8 next collects garbage: a process in which nothing happens never does. */
export function freeMemory(memory: ArrayBuffer): void {
  if (CAN_FREE) memory.transfer(0)
}
