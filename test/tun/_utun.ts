// A macOS kernel as lib/tun/darwin.ts sees it, on the Linux of the test: real descriptors, read(2), write(2), dup2(2) and libuv; what only
// macOS has (kernel control sockets, its numbers of flags and errors) is played by XNU's headers.
import assert from 'node:assert/strict'
import { type DarwinCalls, loadDarwinCalls } from '../../lib/tun/libc-darwin.ts'

// sys/errno.h of macOS.
export const EPERM = 1
const EINVAL = 22
const DARWIN_ERRNO: Record<number, number> = { 11: 35, 107: 57 }

// What Linux calls the same.
const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const F_SETFL = 4
const O_NONBLOCK = 0o4000

const CONTROL_ID = 6
const SOCKADDR_CTL = '2020020006000000'
const AF: Record<number, number> = { 4: 2, 6: 30 }

/** Longest packet with its header. */
const ROOM = 65_535 + 4

export class MacKernel {
  readonly calls: DarwinCalls
  readonly #real: DarwinCalls
  readonly #refuse: { call?: string; errno: number }
  /** Its end and ours of what stands for the control socket. */
  #ends = new Int32Array([-1, -1])
  #errno = 0
  #connected: boolean = false
  /** Descriptors that it has given us and that are open. */
  readonly open = new Set<number>()
  readonly #waiting: Uint8Array[] = []
  readonly #memory = new Uint8Array(ROOM)

  private constructor(real: DarwinCalls, refuse: { call?: string; errno: number }) {
    this.#real = real
    this.#refuse = refuse
    this.calls = this.#calls()
  }

  /** `refuse`: the call that fails, and how. */
  static async boot(refuse: { call?: string; errno: number } = { errno: 0 }): Promise<MacKernel> {
    return new MacKernel(await loadDarwinCalls(), refuse)
  }

  /** A packet of the laptop's goes into the device: the family in front of it, in network order. */
  send(packet: Uint8Array): void {
    this.#waiting.push(Uint8Array.of(0, 0, 0, AF[packet[0]! >> 4]!, ...packet))
    this.#flush()
  }

  /** The next packet that was written into the device. */
  async receive(): Promise<Uint8Array> {
    for (const end = performance.now() + 3000; performance.now() < end; ) {
      const length = this.#real.read(this.#ends[0]!, this.#real.addressOf(this.#memory), ROOM)
      if (length > 0) {
        const packet = this.#memory.slice(4, length)
        assert.deepEqual([...this.#memory.subarray(0, 4)], [0, 0, 0, AF[packet[0]! >> 4]])
        return packet
      }
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    throw new Error('nothing was written')
  }

  /** The control is gone: end of file for who reads, EPIPE for who writes. */
  lose(): void {
    this.#real.close(this.#ends[0]!)
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#real.write(this.#ends[0]!, this.#real.addressOf(next), next.length) < 0) {
        setTimeout(() => this.#flush(), 1) // its queue is full
        return
      }
      this.#waiting.shift()
    }
  }

  #fail(errno: number): number {
    this.#errno = errno
    return -1
  }

  #calls(): DarwinCalls {
    const real = this.#real
    const guard = (call: string, f: () => number): number => {
      if (this.#refuse.call === call) return this.#fail(this.#refuse.errno)
      const result = f()
      if (result < 0) this.#errno = DARWIN_ERRNO[real.errno()] ?? real.errno()
      return result
    }
    return {
      ...real,
      socket: (domain, type, protocol) =>
        guard('socket', () => {
          assert.deepEqual([domain, type, protocol], [32, 2, 2], 'PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL')
          real.socketpair(AF_UNIX, SOCK_SEQPACKET, 0, this.#ends)
          real.fcntl(this.#ends[0]!, F_SETFL, O_NONBLOCK)
          this.open.add(this.#ends[1]!)
          return this.#ends[1]!
        }),
      ioctl: (fd, request, argument) =>
        guard('ioctl', () => {
          assert.equal(fd, this.#ends[1])
          assert.equal(request, 0xc0644e03)
          const info = Buffer.from(argument.buffer, argument.byteOffset, argument.length)
          if (info.length !== 100 || info.toString('latin1', 4, info.indexOf(0, 4)) !== 'com.apple.net.utun_control')
            return this.#fail(EINVAL)
          info.writeUInt32LE(CONTROL_ID, 0)
          return 0
        }),
      connect: (fd, address, length) =>
        guard('connect', () => {
          assert.equal(fd, this.#ends[1])
          assert.equal(length, 32)
          assert.equal(Buffer.from(address).toString('hex'), SOCKADDR_CTL.padEnd(64, '0'))
          this.#connected = true
          return 0
        }),
      getsockopt: (fd, level, option, value, length) =>
        guard('getsockopt', () => {
          assert.deepEqual([fd, level, option, length[0]], [this.#ends[1], 2, 2, 16])
          if (!this.#connected) return this.#fail(EINVAL)
          value.set(Buffer.from('utun7\0'))
          length[0] = 6
          return 0
        }),
      fcntl: (fd, command, argument) =>
        guard('fcntl', () => real.fcntl(fd, command, command === F_SETFL && argument === 4 ? O_NONBLOCK : argument)),
      read: (fd, pointer, length) => guard('read', () => real.read(fd, pointer, length)),
      write: (fd, pointer, length) => guard('write', () => real.write(fd, pointer, length)),
      close: fd => {
        this.open.delete(fd)
        return real.close(fd)
      },
      errno: () => this.#errno
    }
  }
}
