// A network of its own for some programs, without root: user, network and mount namespaces, made and entered by util-linux.
// Node has many threads, and the kernel lets no such process make a user namespace (user_namespaces(7)).
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { KtError } from '../errors.ts'
import type { Place } from './routes-linux.ts'
import { type RunOptions, type RunResult, run, toolEnvironment } from './run.ts'

const TUN = '/dev/net/tun'
/** Of the holder: /dev/net/tun, opened inside, so that its device comes to be there. */
const TUN_FD = 3

/** Root inside is who runs kt. Mounts of the computer go on appearing inside; ours do not appear outside. */
const NEW = ['--user', '--map-root-user', '--net', '--mount', '--propagation', 'slave', '--']

/**
 * Keeps the namespaces until its input ends, also by our death. nscd would answer for the network outside: without its socket, libc
 * looks for itself. What it prints is whether IPv6 is switched off inside.
 */
const HOLD = `exec ${TUN_FD}<>${TUN} || exit
ip link set dev lo up
if [ -S /var/run/nscd/socket ]; then mount -t tmpfs kt /var/run/nscd; fi
cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || echo 1
read -r end`

/** Pairs of a file and what it covers. A program outside that replaces a covered file by another one uncovers it. */
const COVER = `while [ $# -gt 0 ]; do
  umount "$2" 2>/dev/null
  mount --bind "$1" "$2" || exit
  shift 2
done`

type Holder = ChildProcessByStdio<Writable, Readable, Readable>

/** Exists until `close`, and for the programs inside until they end. */
export class Namespace implements Place {
  readonly #holder: Holder
  readonly #pid: number
  readonly #ipv6: boolean

  private constructor(holder: Holder, pid: number, ipv6: boolean) {
    this.#holder = holder
    this.#pid = pid
    this.#ipv6 = ipv6
  }

  /** Throws KT_NO_TOOL, KT_NO_TUN, or KT_PLATFORM where users may not make namespaces. */
  static async open(): Promise<Namespace> {
    for (const tool of ['ip', 'unshare', 'nsenter']) await run(tool, ['-V'])
    // Not in the terminal's group: Ctrl-C is for the programs inside.
    const holder = spawn('unshare', [...NEW, 'sh', '-c', HOLD], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: toolEnvironment()
    })
    let stderr = ''
    holder.stdin.on('error', () => {})
    holder.stderr.on('data', bytes => {
      stderr += bytes
    })
    const ended = once(holder, 'close').then(() => undefined)
    const first = await Promise.race([once(holder.stdout, 'data').catch(() => undefined), ended])
    if (first === undefined || holder.pid === undefined) throw refusal(stderr)
    return new Namespace(holder, holder.pid, String(first[0]).trim() === '0')
  }

  /** For `openTun`: a device made of it is inside. */
  get tun(): { pid: number; fd: number } {
    return { pid: this.#pid, fd: TUN_FD }
  }

  /** Run a program inside, as its root. As `run`. */
  readonly run = (program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run('nsenter', [...this.#enter(), program, ...args], options)

  hasIPv6(): boolean {
    return this.#ipv6
  }

  /**
   * The words in front of a program that is to run inside, in this directory, as the user who runs kt and with no more rights than he
   * has. They become the program: its process is the one that was started.
   */
  get entrance(): string[] {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    return ['nsenter', ...this.#enter(), 'unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--']
  }

  /**
   * Inside, these files have these texts; outside nothing is changed, and nothing is left there. Called again, the newer texts count.
   * Throws KT_RESOLVER.
   */
  async cover(files: ReadonlyMap<string, string>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'kt-shell-'))
    try {
      const pairs: string[] = []
      for (const [path, text] of files) {
        const file = join(directory, String(pairs.length))
        await writeFile(file, text, 'latin1')
        await chmod(file, 0o644)
        pairs.push(file, path)
      }
      const { ok, stderr } = await this.run('sh', ['-c', COVER, 'sh', ...pairs])
      if (!ok) throw new KtError('KT_RESOLVER', `inside the shell: ${stderr.split('\n')[0]}`)
    } finally {
      await rm(directory, { recursive: true, force: true }) // what is mounted stays without its name
    }
  }

  /** Let it go; programs inside keep it, without a device, until they end. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = once(this.#holder, 'close')
    this.#holder.stdin.end()
    await ended
  }

  /** Without --preserve-credentials nsenter would ask for groups that are not there. */
  #enter(): string[] {
    return ['--target', String(this.#pid), '--user', '--net', '--mount', '--preserve-credentials', '--wd', '--']
  }
}

/** Why users may not make namespaces here, and what to switch on: one line each. */
export interface Obstacle {
  text: string
  fix: string
}

/** Tried without leaving anything. Undefined: nothing stands against it. Throws KT_NO_TOOL. */
export async function namespaceObstacle(): Promise<Obstacle | undefined> {
  const { ok, stderr } = await run('unshare', [...NEW, 'true'])
  return ok ? tunObstacle() : explain(stderr)
}

/** `said` is the last word of unshare(1); `read` gives the text of a switch below /proc/sys, empty where there is no such switch. */
export function explain(said: string, read: (name: string) => string = readSwitch): Obstacle {
  const text = (why: string): string => `this computer does not let users make namespaces of their own: ${why}`
  const lasting = (setting: string): string => `sudo sysctl -w ${setting} (in /etc/sysctl.d it lasts)`
  if (read('user/max_user_namespaces') === '0')
    return { text: text('user.max_user_namespaces is 0'), fix: lasting('user.max_user_namespaces=15000') }
  if (read('kernel/unprivileged_userns_clone') === '0')
    return { text: text('kernel.unprivileged_userns_clone is 0'), fix: lasting('kernel.unprivileged_userns_clone=1') }
  if (read('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return {
      text: text("AppArmor's kernel.apparmor_restrict_unprivileged_userns is 1, as on Ubuntu since 23.10"),
      fix: lasting('kernel.apparmor_restrict_unprivileged_userns=0')
    }
  if (/unrecognized option/.test(said)) return { text: text(said), fix: 'util-linux 2.36 or later is needed' }
  const why = said.split('\n')[0]?.replace(/^unshare: /, '') || 'unshare does not say why'
  return { text: text(why), fix: 'in a container: docker run --security-opt seccomp=unconfined --device /dev/net/tun' }
}

/** The device file, as this user sees it. */
function tunObstacle(): Obstacle | undefined {
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES')
      return { text: `${TUN} may be opened by root alone`, fix: `sudo chmod 666 ${TUN}, as most systems have it` }
    return { text: `${TUN} is not there`, fix: 'sudo modprobe tun; in a container: --device /dev/net/tun' }
  }
}

function refusal(stderr: string): KtError {
  const device = stderr.includes(TUN) ? tunObstacle() : undefined
  const { text, fix } = device ?? explain(stderr.trim())
  return new KtError(device === undefined ? 'KT_PLATFORM' : 'KT_NO_TUN', text, { hint: fix })
}

function readSwitch(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, 'latin1').trim()
  } catch {
    return ''
  }
}
