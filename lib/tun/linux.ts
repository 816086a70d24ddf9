// The TUN device of Linux: /dev/net/tun without a helper process, a compiler or a thread.
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { KtError } from '../errors.ts'
import type { Device, Offload, PacketBatch } from './device.ts'
import { EACCES, EBADF, EBADFD, EBUSY, ENOSYS, EPERM, type Libc, loadLibc, O_CLOEXEC } from './libc.ts'
import { emitVnetHeader, VNET_HEADER_LENGTH, vnetSegmentSize } from './vnet.ts'

const TUN_PATH = '/dev/net/tun'

/** MTU with offload: segments of the usual size for whoever looks, packets of 64 KiB on the way in and out. */
export const OFFLOAD_MTU = 1500
/** MTU without: the largest that Linux takes for a TUN less 15, so that few packets carry much. */
export const PLAIN_MTU = 65_520
/** Packets the kernel queues for us. Its default, 500, drops in bursts of many flows (measured: 5,661 retransmissions; with this none). */
export const TX_QUEUE_LENGTH = 5000

// linux/if_tun.h
const TUNSETIFF = 0x400454ca
const TUNSETOFFLOAD = 0x400454d0
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const IFF_VNET_HDR = 0x4000
const TUN_F_CSUM = 0x01
const TUN_F_TSO4 = 0x02
const TUN_F_TSO6 = 0x04
const TUN_F_USO4 = 0x20
const TUN_F_USO6 = 0x40
const TCP_OFFLOAD = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
/** Linux 6.2 and later. */
const ALL_OFFLOAD = TCP_OFFLOAD | TUN_F_USO4 | TUN_F_USO6

/** asm-generic/ioctls.h: what is opened by somebody else does not wait afterwards, either. */
const FIONBIO = 0x5421
/** asm-generic/unistd.h; calls as young as these have the same number on every machine. */
const SYS_PIDFD_OPEN = 434
const SYS_PIDFD_GETFD = 438

const AF_UNIX = 1
const SOCK_STREAM = 1
const IFNAMSIZ = 16
const IFREQ_LENGTH = 40

/** The longest packet and the header in front of it, and one byte more, so that a read never fills the room exactly. */
const READ_LENGTH = VNET_HEADER_LENGTH + 65_535 + 1
/** Bytes read in one wake-up; then the timers and the other sockets have their turn. */
const BATCH_BYTES = 1 << 20
/** Packets read in one wake-up. */
const BATCH_PACKETS = 256

export interface TunOptions {
  /** The device's name; the kernel finds one (`tun0`) where it is missing. At most 15 bytes. */
  name?: string
  /** False: without offload, as on kernels that have none. */
  offload?: boolean
  /** In whose network it is made; default: in ours. */
  from?: ForeignDescriptor
}

/** A descriptor of /dev/net/tun that another process of this user has opened in its own network, and done nothing with. */
export interface ForeignDescriptor {
  pid: number
  fd: number
}

/**
 * Create a TUN device. It exists until `close` or the end of the process. Nothing is configured: addresses, `mtu` (to
 * what the result says), `TX_QUEUE_LENGTH` and "up" are lib/host's.
 *
 * Rejects with KT_NO_TUN (no device file, no rights, name taken) or KT_PLATFORM.
 */
export async function openTun(options: TunOptions = {}): Promise<Device> {
  if (process.platform !== 'linux') throw new KtError('KT_PLATFORM', `no TUN device for ${process.platform} yet`)
  const libc = await loadLibc()
  const { name = '', from } = options
  if (options.offload !== false) {
    const fd = createTun(libc, name, IFF_VNET_HDR, from)
    if (fd !== undefined) {
      for (const features of [ALL_OFFLOAD, TCP_OFFLOAD]) {
        if (libc.ioctlValue(fd.number, TUNSETOFFLOAD, features) === 0)
          return new LinuxTun(libc, fd.number, fd.name, true)
      }
      closeSync(fd.number)
    }
  }
  const fd = createTun(libc, name, 0, from)
  if (fd === undefined) throw new KtError('KT_NO_TUN', `this kernel refuses to create a TUN device ${name}`.trim())
  return new LinuxTun(libc, fd.number, fd.name, false)
}

/** Undefined if the kernel does not know the flags. */
function createTun(
  libc: Libc,
  name: string,
  flags: number,
  from: ForeignDescriptor | undefined
): { number: number; name: string } | undefined {
  const fd = from === undefined ? openTunPath() : takeOver(libc, from)
  const ifreq = Buffer.alloc(IFREQ_LENGTH)
  ifreq.write(name, 0, IFNAMSIZ - 1, 'latin1')
  ifreq.writeUInt16LE(IFF_TUN | IFF_NO_PI | flags, IFNAMSIZ)
  if (libc.ioctl(fd, TUNSETIFF, ifreq) === 0) {
    return { number: fd, name: ifreq.toString('latin1', 0, ifreq.indexOf(0)) }
  }
  const errno = libc.errno()
  closeSync(fd)
  if (errno === EPERM || errno === EACCES) {
    throw new KtError('KT_NO_TUN', 'no right to create a TUN device', {
      hint: 'Run kt as root (sudo), or give it CAP_NET_ADMIN'
    })
  }
  if (errno === EBUSY) {
    throw new KtError('KT_NO_TUN', `the TUN device ${name} is in use`, {
      hint: 'Another kt may be running: see `kt status`'
    })
  }
  return undefined
}

function openTunPath(): number {
  try {
    return openSync(TUN_PATH, constants.O_RDWR | constants.O_NONBLOCK | O_CLOEXEC)
  } catch (cause) {
    throw openError(cause)
  }
}

/** Our own descriptor of what the other process has open, closed on exec. The network is that of who opened it; who made its user namespace may use it. */
function takeOver(libc: Libc, { pid, fd }: ForeignDescriptor): number {
  const process = libc.syscall(SYS_PIDFD_OPEN, pid, 0, 0)
  const own = process < 0 ? -1 : libc.syscall(SYS_PIDFD_GETFD, process, fd, 0)
  const errno = libc.errno()
  if (process >= 0) closeSync(process)
  if (own < 0) {
    throw new KtError('KT_NO_TUN', `the TUN device of process ${pid} cannot be taken over: errno ${errno}`, {
      hint:
        errno === ENOSYS
          ? 'Linux 5.6 or later is needed'
          : 'kernel.yama.ptrace_scope=3 forbids it, and so do containers'
    })
  }
  libc.ioctl(own, FIONBIO, Uint8Array.of(1, 0, 0, 0))
  return own
}

function openError(cause: unknown): KtError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : ''
  if (code === 'EACCES' || code === 'EPERM') {
    return new KtError('KT_NO_TUN', `no right to open ${TUN_PATH}`, { hint: 'Run kt as root (sudo)', cause })
  }
  return new KtError('KT_NO_TUN', `there is no ${TUN_PATH} on this computer`, {
    hint: 'Load the kernel module (`modprobe tun`); in a container, pass --device /dev/net/tun and --cap-add NET_ADMIN',
    cause
  })
}

/**
 * Reading: libuv waits, we read. `net.Socket` refuses a TUN but takes one end of a socket pair, and looks at the kind of
 * its descriptor only once, so `dup3` then puts the TUN in its place. Each wake-up hands over one packet read by libuv;
 * the rest of the queue is drained by read(2) until it is empty or the budget is spent. Measured: as fast as a C addon,
 * 12 to 20 times faster than `fs.read`.
 */
class LinuxTun implements Device {
  readonly name: string
  readonly mtu: number
  readonly offload: boolean
  readonly headroom: number
  readonly #libc: Libc
  readonly #fd: number
  /** Not a Buffer, whose `slice` does not copy. */
  readonly #memory: Uint8Array<ArrayBuffer> = new Uint8Array(BATCH_BYTES)
  readonly #address: number
  readonly #batch: PacketBatch
  #socket: Socket | undefined
  #received: (batch: PacketBatch) => void = () => {}
  #lost: ((error: Error) => void) | undefined
  /** The memory that was written from last, and where it lies: nearly always the same. */
  #written: ArrayBufferLike | undefined
  #writtenAddress = 0
  #closed: boolean = false

  constructor(libc: Libc, fd: number, name: string, offload: boolean) {
    this.#libc = libc
    this.#fd = fd
    this.name = name
    this.offload = offload
    this.mtu = offload ? OFFLOAD_MTU : PLAIN_MTU
    this.headroom = offload ? VNET_HEADER_LENGTH : 0
    this.#address = libc.addressOf(this.#memory)
    this.#batch = {
      bytes: this.#memory,
      count: 0,
      starts: new Uint32Array(BATCH_PACKETS),
      ends: new Uint32Array(BATCH_PACKETS),
      segmentSizes: new Uint16Array(BATCH_PACKETS)
    }
  }

  start(received: (batch: PacketBatch) => void, lost: (error: Error) => void): void {
    this.#received = received
    this.#lost = lost
    const pair = new Int32Array(2)
    const libc = this.#libc
    if (libc.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair) < 0) throw this.#fault('socketpair')
    const socket = new Socket({
      fd: pair[0]!,
      readable: true,
      writable: false, // its writes may be glued together, and a packet is one write
      onread: {
        buffer: this.#memory.subarray(0, READ_LENGTH),
        callback: (length: number) => {
          this.#drain(length)
          return true
        }
      }
    })
    libc.close(pair[1]!)
    // With O_CLOEXEC: a child process would otherwise keep the device alive after us.
    if (libc.dup3(this.#fd, pair[0]!, O_CLOEXEC) < 0) throw this.#fault('dup3')
    socket.on('error', error => this.#gone(error))
    socket.on('end', () => this.#gone(new Error('end of file')))
    this.#socket = socket
    socket.read(0)
  }

  #drain(firstLength: number): void {
    const { starts, ends, segmentSizes } = this.#batch
    const head = this.headroom
    let count = 0
    let at = 0
    let length = firstLength
    while (length > head) {
      starts[count] = at + head
      ends[count] = at + length
      segmentSizes[count] = head === 0 ? 0 : vnetSegmentSize(this.#memory, at)
      count++
      at = (at + length + 15) & ~15
      if (count === BATCH_PACKETS || at + READ_LENGTH > BATCH_BYTES) break
      length = this.#libc.read(this.#fd, this.#address + at, READ_LENGTH)
    }
    this.#batch.count = count
    if (count > 0) this.#received(this.#batch)
  }

  write(bytes: Uint8Array, start: number, end: number, offload: Offload): boolean {
    if (this.#closed) return false
    const from = start - this.headroom
    if (this.offload) emitVnetHeader(bytes, from, start, offload)
    if (bytes.buffer !== this.#written) {
      this.#written = bytes.buffer
      this.#writtenAddress = this.#libc.addressOf(new Uint8Array(bytes.buffer))
    }
    const length = end - from
    if (this.#libc.write(this.#fd, this.#writtenAddress + bytes.byteOffset + from, length) === length) return true
    const errno = this.#libc.errno()
    if (errno === EBADFD || errno === EBADF) this.#gone(new Error(`write: errno ${errno}`))
    return false
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#lost = undefined
    const socket = this.#socket
    if (socket !== undefined && !socket.destroyed) {
      const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
      socket.destroy()
      await closed
    }
    closeSync(this.#fd)
  }

  #gone(cause: Error): void {
    const lost = this.#lost
    this.#lost = undefined
    if (lost === undefined) return
    this.#socket?.destroy()
    lost(
      new KtError('KT_DEVICE_LOST', `the TUN device ${this.name} is gone`, {
        hint: 'Something removed it: start kt again',
        cause
      })
    )
  }

  #fault(call: string): KtError {
    return new KtError('KT_INTERNAL', `${call} failed with errno ${this.#libc.errno()}`)
  }
}
