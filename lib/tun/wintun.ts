// The functions of wintun.dll (wintun.h, API of 0.14) and of kernel32.dll that a device needs, through koffi.
import { KtError } from '../errors.ts'
import { loadKoffi } from './koffi.ts'

/** Handles and pointers are numbers; 0 is failure, and `lastError()` then tells why. */
export interface WintunCalls {
  /** `guid` of 16 bytes: Windows knows the network again. The adapter exists until it is closed, or the process ends. */
  createAdapter(name: string, type: string, guid: Uint8Array): number
  closeAdapter(adapter: number): void
  /** `capacity` of each of the two rings: a power of two from 128 KiB to 64 MiB. */
  startSession(adapter: number, capacity: number): number
  endSession(session: number): void
  /** An event that is set while packets wait; it belongs to the session. */
  readWaitEvent(session: number): number
  /** The oldest packet that waits, its length into `size`; it stays in the ring until it is released. */
  receivePacket(session: number, size: Uint32Array): number
  releaseReceivePacket(session: number, packet: number): void
  /** Room for a packet, which must then be sent. */
  allocateSendPacket(session: number, size: number): number
  sendPacket(session: number, packet: number): void
  /** GetLastError of the last of these calls. */
  lastError(): number
  createEvent(): number
  setEvent(event: number): void
  closeHandle(handle: number): void
  /** Resolves when one of the events is set, by a thread that is not Node's; which one, or a negative number for a failure. */
  waitForEither(first: number, second: number): Promise<number>
  /** RtlMoveMemory. */
  copy(to: number, from: number, length: number): void
  /** Where the bytes lie; of use for as long as their ArrayBuffer lives. */
  addressOf(bytes: Uint8Array): number
}

const INFINITE = 0xffffffff
const WAIT_FAILED = 0xffffffff

/** Load the library at `path`, an absolute one: nobody else's is found in its place. Rejects with KT_NO_TUN or KT_PLATFORM. */
export async function loadWintun(path: string): Promise<WintunCalls> {
  const koffi = await loadKoffi()
  const [wintun, kernel] = [open(path), koffi.load('kernel32.dll')]
  const wait = kernel.func('__stdcall', 'WaitForMultipleObjects', 'uint32_t', [
    'uint32_t',
    'uintptr_t *',
    'int',
    'uint32_t'
  ])
  return {
    createAdapter: wintun.func('__stdcall', 'WintunCreateAdapter', 'uintptr_t', ['str16', 'str16', 'uint8_t *']),
    closeAdapter: wintun.func('__stdcall', 'WintunCloseAdapter', 'void', ['uintptr_t']),
    startSession: wintun.func('__stdcall', 'WintunStartSession', 'uintptr_t', ['uintptr_t', 'uint32_t']),
    endSession: wintun.func('__stdcall', 'WintunEndSession', 'void', ['uintptr_t']),
    readWaitEvent: wintun.func('__stdcall', 'WintunGetReadWaitEvent', 'uintptr_t', ['uintptr_t']),
    receivePacket: wintun.func('__stdcall', 'WintunReceivePacket', 'uintptr_t', ['uintptr_t', '_Out_ uint32_t *']),
    releaseReceivePacket: wintun.func('__stdcall', 'WintunReleaseReceivePacket', 'void', ['uintptr_t', 'uintptr_t']),
    allocateSendPacket: wintun.func('__stdcall', 'WintunAllocateSendPacket', 'uintptr_t', ['uintptr_t', 'uint32_t']),
    sendPacket: wintun.func('__stdcall', 'WintunSendPacket', 'void', ['uintptr_t', 'uintptr_t']),
    // koffi keeps its value from one call to the next.
    lastError: kernel.func('__stdcall', 'GetLastError', 'uint32_t', []),
    createEvent: eventMaker(
      kernel.func('__stdcall', 'CreateEventW', 'uintptr_t', ['uintptr_t', 'int', 'int', 'uintptr_t'])
    ),
    setEvent: kernel.func('__stdcall', 'SetEvent', 'int', ['uintptr_t']),
    closeHandle: kernel.func('__stdcall', 'CloseHandle', 'int', ['uintptr_t']),
    waitForEither: (first, second) =>
      new Promise((resolve, reject) => {
        wait.async(2, [first, second], 0, INFINITE, (error: unknown, which: number) => {
          if (error) reject(error)
          else resolve(which === WAIT_FAILED ? -1 : which)
        })
      }),
    copy: kernel.func('__stdcall', 'RtlMoveMemory', 'void', ['uintptr_t', 'uintptr_t', 'size_t']),
    addressOf: bytes => Number(koffi.address(bytes))
  }

  function open(file: string): ReturnType<typeof koffi.load> {
    try {
      return koffi.load(file)
    } catch (cause) {
      throw new KtError('KT_NO_TUN', `${file} cannot be loaded: ${(cause as Error).message}`, {
        hint: 'it must be the wintun.dll for this processor: docs/platforms.md',
        cause
      })
    }
  }
}

/** A manual-reset event that is not set. */
function eventMaker(create: (attributes: number, manual: number, set: number, name: number) => number): () => number {
  return () => create(0, 1, 0, 0)
}
