// The TUN device of Linux: /dev/net/tun without a helper process, a compiler or a thread.
import { closeSync, constants, openSync } from 'node:fs'
import { KtError } from '../errors.ts'
import { DescriptorTun, type Framing } from './descriptor.ts'
import type { Device } from './device.ts'
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
  const libc = await loadLibc()
  const { name = '', from } = options
  if (options.offload !== false) {
    const fd = createTun(libc, name, IFF_VNET_HDR, from)
    if (fd !== undefined) {
      for (const features of [ALL_OFFLOAD, TCP_OFFLOAD]) {
        if (libc.ioctlValue(fd.number, TUNSETOFFLOAD, features) === 0) return linuxTun(libc, fd, true)
      }
      closeSync(fd.number)
    }
  }
  const fd = createTun(libc, name, 0, from)
  if (fd === undefined) throw new KtError('KT_NO_TUN', `this kernel refuses to create a TUN device ${name}`.trim())
  return linuxTun(libc, fd, false)
}

/** With offload, struct virtio_net_hdr stands in front of each packet. */
const OFFLOAD_FRAMING: Framing = {
  headroom: VNET_HEADER_LENGTH,
  emit(bytes, packet, offload) {
    emitVnetHeader(bytes, packet - VNET_HEADER_LENGTH, packet, offload)
    return true
  },
  segmentSize: vnetSegmentSize
}
const PLAIN_FRAMING: Framing = { headroom: 0, emit: () => true, segmentSize: () => 0 }

function linuxTun(libc: Libc, { number: fd, name }: OpenTun, offload: boolean): DescriptorTun {
  return new DescriptorTun({
    calls: {
      ...libc,
      pair: ends => libc.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, ends),
      replace: (from, to) => libc.dup3(from, to, O_CLOEXEC)
    },
    ...{ fd, name, offload },
    mtu: offload ? OFFLOAD_MTU : PLAIN_MTU,
    framing: offload ? OFFLOAD_FRAMING : PLAIN_FRAMING,
    goneErrnos: [EBADFD, EBADF]
  })
}

interface OpenTun {
  number: number
  name: string
}

/** Undefined if the kernel does not know the flags. */
function createTun(libc: Libc, name: string, flags: number, from: ForeignDescriptor | undefined): OpenTun | undefined {
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
