// The TUN device of macOS: utun, a kernel control socket (XNU: bsd/net/if_utun.h, bsd/sys/kern_control.h, bsd/sys/sys_domain.h).
// Written to these documents, not yet run on a Mac.
import { KtError } from '../errors.ts'
import { DescriptorTun, type Framing } from './descriptor.ts'
import type { Device } from './device.ts'
import { type DarwinCalls, loadDarwinCalls } from './libc-darwin.ts'

/** Larger than that of a wire, because nobody else cuts packets up here: a sixth of them for a download. Much larger ones are untested. */
const UTUN_MTU = 9000

const CONTROL_NAME = 'com.apple.net.utun_control'
// sys/socket.h, sys/sys_domain.h, sys/kern_control.h, net/if_utun.h
const PF_SYSTEM = 32
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SYSPROTO_CONTROL = 2
const AF_SYS_CONTROL = 2
const AF_UNIX = 1
/** _IOWR('N', 3, struct ctl_info): the number of a kernel control, by its name. */
const CTLIOCGINFO = 0xc0644e03
/** struct ctl_info: the number, then the name in 96 bytes. */
const CTL_INFO_LENGTH = 100
const SOCKADDR_CTL_LENGTH = 32
const UTUN_OPT_IFNAME = 2
const IFNAMSIZ = 16
// sys/fcntl.h
const F_SETFD = 2
const F_SETFL = 4
const FD_CLOEXEC = 1
const O_NONBLOCK = 4
// sys/errno.h
const EPERM = 1
const ENXIO = 6
const EBADF = 9
const EPIPE = 32
const ENOTCONN = 57

/** The protocol family of the packet, 4 bytes in network order (if_utun.h: `utun_packet_af`). */
const AF_LENGTH = 4
const AF_INET = 2
const AF_INET6 = 30

const FRAMING: Framing = {
  headroom: AF_LENGTH,
  emit(bytes, packet) {
    const version = bytes[packet]! >> 4
    if (version !== 4 && version !== 6) return false
    bytes[packet - 4] = 0
    bytes[packet - 3] = 0
    bytes[packet - 2] = 0
    bytes[packet - 1] = version === 4 ? AF_INET : AF_INET6
    return true
  },
  segmentSize: () => 0
}

/**
 * Create a utun device; the kernel names it. It exists until `close` or the end of the process. Nothing is configured:
 * addresses, MTU and "up" are lib/host's. Rejects with KT_NO_TUN or KT_PLATFORM.
 */
export async function openUtun(calls?: DarwinCalls): Promise<Device> {
  const libc = calls ?? (await loadDarwinCalls())
  const fd = libc.socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL)
  if (fd < 0) throw problem(libc, 'socket')
  try {
    attach(libc, fd)
    const name = nameOf(libc, fd)
    // Set before anything reads: a read that waits would stop the whole process.
    if (libc.fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || libc.fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) throw problem(libc, 'fcntl')
    return new DescriptorTun({
      calls: {
        ...libc,
        pair: ends => libc.socketpair(AF_UNIX, SOCK_STREAM, 0, ends),
        replace: (from, to) => (libc.dup2(from, to) < 0 ? -1 : libc.fcntl(to, F_SETFD, FD_CLOEXEC))
      },
      ...{ fd, name, mtu: UTUN_MTU, offload: false, framing: FRAMING },
      goneErrnos: [EBADF, ENXIO, EPIPE, ENOTCONN]
    })
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** Connecting the socket makes the device; unit 0 leaves its number to the kernel. */
function attach(libc: DarwinCalls, fd: number): void {
  const info = Buffer.alloc(CTL_INFO_LENGTH)
  info.write(CONTROL_NAME, 4, 'latin1')
  if (libc.ioctl(fd, CTLIOCGINFO, info) < 0) throw problem(libc, 'CTLIOCGINFO')
  const address = Buffer.alloc(SOCKADDR_CTL_LENGTH)
  address[0] = SOCKADDR_CTL_LENGTH
  address[1] = PF_SYSTEM
  address.writeUInt16LE(AF_SYS_CONTROL, 2)
  address.writeUInt32LE(info.readUInt32LE(0), 4)
  if (libc.connect(fd, address, SOCKADDR_CTL_LENGTH) < 0) throw problem(libc, 'connect')
}

function nameOf(libc: DarwinCalls, fd: number): string {
  const name = Buffer.alloc(IFNAMSIZ)
  if (libc.getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, name, Uint32Array.of(IFNAMSIZ)) < 0)
    throw problem(libc, 'UTUN_OPT_IFNAME')
  return name.toString('latin1', 0, name.indexOf(0))
}

function problem(libc: DarwinCalls, call: string): KtError {
  const errno = libc.errno()
  if (errno === EPERM)
    return new KtError('KT_NO_TUN', 'no right to create a utun device', { hint: 'Run kt as root (sudo)' })
  return new KtError('KT_NO_TUN', `macOS refuses to create a utun device: ${call}, errno ${errno}`)
}
