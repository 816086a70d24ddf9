// The few system calls of Linux that Node.js does not have, through koffi.
import { type Koffi, loadKoffi } from './koffi.ts'

/** Synchronous system calls. A pointer is a number; -1 is failure, and `errno()` then tells why. */
export interface Libc {
  ioctl(fd: number, request: number, argument: Uint8Array): number
  ioctlValue(fd: number, request: number, argument: number): number
  read(fd: number, pointer: number, length: number): number
  write(fd: number, pointer: number, length: number): number
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number
  dup3(from: number, to: number, flags: number): number
  close(fd: number): number
  /** What libc has no function for everywhere: pidfd_open(2), pidfd_getfd(2). */
  syscall(number: number, first: number, second: number, third: number): number
  errno(): number
  /** Where the bytes lie; of use for as long as their ArrayBuffer lives. */
  addressOf(bytes: Uint8Array): number
}

export const EPERM = 1
export const EBADF = 9
export const EACCES = 13
export const EBUSY = 16
export const ENOSYS = 38
export const EBADFD = 77
export const O_CLOEXEC = 0o2000000

// malloc.h of glibc
const M_TOP_PAD = -2
const M_MMAP_THRESHOLD = -3
/** Memory from this size on is a mapping of its own, bytes: the blocks of lib/blocks.ts, and the receive queues of the stack. */
const OWN_MAPPING_BYTES = 65_536
/** By which the heap for all else grows, bytes: where there is no room for a block, none is put. */
const GROWTH_BYTES = 16_384
/** What lies free between other things on the heap goes back so often, ms: it takes 1 to 2 ms. */
const TRIM_MS = 5_000

/** Load libc. Rejects with KT_PLATFORM where koffi has no binary for this machine. */
export async function loadLibc(): Promise<Libc> {
  const koffi = await loadKoffi()
  const libc = koffi.load(null) // the symbols of this process: glibc or musl, whichever it runs on
  returnFreed(libc)
  return {
    // ioctl is variadic in C, which makes no difference to the callee on x86-64 and arm64 Linux.
    ioctl: libc.func('ioctl', 'int', ['int', 'unsigned long', '_Inout_ uint8_t *']),
    ioctlValue: libc.func('ioctl', 'int', ['int', 'unsigned long', 'unsigned long']),
    // A pointer as a number costs no object per call, unlike a subarray.
    read: libc.func('read', 'int64_t', ['int', 'uintptr_t', 'size_t']),
    write: libc.func('write', 'int64_t', ['int', 'uintptr_t', 'size_t']),
    socketpair: libc.func('socketpair', 'int', ['int', 'int', 'int', '_Out_ int32_t *']),
    dup3: libc.func('dup3', 'int', ['int', 'int', 'int']),
    close: libc.func('close', 'int', ['int']),
    syscall: libc.func('syscall', 'long', ['long', 'long', 'long', 'long']),
    errno: () => koffi.errno(),
    addressOf: bytes => Number(koffi.address(bytes))
  }
}

let trimming: NodeJS.Timeout | undefined

/**
 * What is freed goes back to the system. By itself glibc makes mappings of ever larger pieces only, up to 32 MB, and keeps the rest: 40 MB after
 * 64 flows. musl has none of these functions, and needs none.
 */
function returnFreed(libc: ReturnType<Koffi['load']>): void {
  if (trimming !== undefined) return
  try {
    const mallopt = libc.func('mallopt', 'int', ['int', 'int'])
    const trim = libc.func('malloc_trim', 'int', ['size_t'])
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)
    mallopt(M_TOP_PAD, GROWTH_BYTES)
    trimming = setInterval(() => trim(0), TRIM_MS).unref()
  } catch {}
}
