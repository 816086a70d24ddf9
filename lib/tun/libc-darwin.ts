// The few system calls of macOS that Node.js does not have, through koffi.
import type { DescriptorCalls } from './descriptor.ts'
import { loadKoffi } from './koffi.ts'

/** Synchronous system calls. A pointer is a number; -1 is failure, and `errno()` then tells why. */
export interface DarwinCalls extends Omit<DescriptorCalls, 'pair' | 'replace'> {
  socket(domain: number, type: number, protocol: number): number
  /** The argument is read and written. */
  ioctl(fd: number, request: number, argument: Uint8Array): number
  connect(fd: number, address: Uint8Array, length: number): number
  /** `length` says how long `value` is, and is told how much of it is used. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint32Array): number
  fcntl(fd: number, command: number, argument: number): number
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number
  dup2(from: number, to: number): number
}

/** Load libSystem. Rejects with KT_PLATFORM where koffi has no binary for this machine. */
export async function loadDarwinCalls(): Promise<DarwinCalls> {
  const koffi = await loadKoffi()
  const libc = koffi.load(null)
  // Variadic, and declared so: on Apple's arm64 such arguments lie on the stack and not in registers.
  const ioctl = libc.func('ioctl', 'int', ['int', 'unsigned long', '...'])
  const fcntl = libc.func('fcntl', 'int', ['int', 'int', '...'])
  const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes))
  return {
    socket: libc.func('socket', 'int', ['int', 'int', 'int']),
    ioctl: (fd, request, argument) => ioctl(fd, request, 'uintptr_t', addressOf(argument)),
    connect: libc.func('connect', 'int', ['int', 'uint8_t *', 'uint32_t']),
    getsockopt: libc.func('getsockopt', 'int', ['int', 'int', 'int', '_Out_ uint8_t *', '_Inout_ uint32_t *']),
    fcntl: (fd, command, argument) => fcntl(fd, command, 'int', argument),
    read: libc.func('read', 'int64_t', ['int', 'uintptr_t', 'size_t']),
    write: libc.func('write', 'int64_t', ['int', 'uintptr_t', 'size_t']),
    socketpair: libc.func('socketpair', 'int', ['int', 'int', 'int', '_Out_ int32_t *']),
    dup2: libc.func('dup2', 'int', ['int', 'int']),
    close: libc.func('close', 'int', ['int']),
    errno: () => koffi.errno(),
    addressOf
  }
}
