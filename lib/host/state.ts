// Where kt keeps what must outlive a process, and how it recognises processes. Synchronous: used while starting only.
import { chmodSync, lchownSync, lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { KtError } from '../errors.ts'
import { POWERSHELL, systemFile } from './powershell.ts'
import { runSync } from './run.ts'

/** The user who typed the command: with sudo, the one who called sudo. */
interface Invoker {
  uid: number
  gid: number
  home: string
}

/**
 * The directory `name` below `$KT_HOME`, else below `~/.kt` of the user who typed the command, on Windows below `%LOCALAPPDATA%\kt`; made
 * when missing, readable by its owner only.
 */
export function stateDirectory(name: string): string {
  const path = statePath(name)
  try {
    make(path)
  } catch (cause) {
    throw new KtError('KT_JOURNAL', `cannot make the directory ${path}: ${(cause as Error).message}`, {
      hint: 'KT_HOME names another place',
      cause
    })
  }
  return path
}

/** Where `stateDirectory` makes it: for those who only look whether something is there. */
export function statePath(name: string): string {
  return join(process.env.KT_HOME || homeOfState(), name)
}

function homeOfState(): string {
  if (process.platform === 'win32') return join(process.env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'kt')
  return join(invoker().home, '.kt')
}

/** Home directory of the user who typed the command. */
export function invokerHome(): string {
  return invoker().home
}

/** Give a file that root has just made to the user who typed the command. Does nothing without sudo. */
export function giveToInvoker(path: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = invoker()
  if (uid !== 0) lchownSync(path, uid, gid)
}

/**
 * When a process began, as an opaque text that no other process of any boot has; undefined if it does not live.
 * Kernel documentation, filesystems/proc: field 22 of /proc/PID/stat. macOS and Windows have no /proc; there it is a time of day.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in brackets, and may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const state = fields[0]
    if (state === 'Z' || state === 'X') return undefined // ended, only not yet collected by its parent
    return `${fields[19]}@${bootId()}`
  } catch {
    return isThere(pid) ? (startTime(pid) ?? 'lives') : undefined
  }
}

/** Our own does not change, and another program is asked for it. */
let ownStart: string | undefined

/** The program that says when a process began, where there is no /proc. */
const ASK: Partial<Record<NodeJS.Platform, (pid: number) => [string, ...string[]]>> = {
  darwin: pid => ['ps', '-o', 'lstart=', '-p', String(pid)],
  win32: pid => [
    systemFile(POWERSHELL),
    ...['-NoLogo', '-NoProfile', '-NonInteractive', '-Command'],
    // Get-Process does not say it of a process with more rights than this one.
    `(Get-CimInstance Win32_Process -Filter 'ProcessId = ${pid}').CreationDate.ToUniversalTime().Ticks`
  ]
}

/** Undefined where nobody can be asked. */
function startTime(pid: number): string | undefined {
  if (pid === process.pid && ownStart !== undefined) return ownStart
  const [program, ...args] = ASK[process.platform]?.(pid) ?? []
  const start = (program && runSync(program, args)?.trim()) || undefined
  if (pid === process.pid) ownStart = start
  return start
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Changes with every boot: what a process of another boot has left, nobody holds any more. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  } catch {
    return ''
  }
}

/** An opaque name of the network namespace of this process: another one is another laptop. */
export function networkNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/net')
  } catch {
    return 'host' // no /proc: there is one network
  }
}

function make(path: string): void {
  const made = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (made === undefined) {
    if (!lstatSync(path).isDirectory()) throw new Error('something else is there')
    return
  }
  // Only what was made here changes hands: a link put there by somebody else must not give him a directory of root.
  for (let each = path; each.length >= made.length; each = dirname(each)) {
    chmodSync(each, 0o700)
    giveToInvoker(each)
  }
}

function invoker(): Invoker {
  const uid = process.getuid?.() ?? 0
  const sudoUid = Number(process.env.SUDO_UID)
  if (uid === 0 && Number.isInteger(sudoUid) && sudoUid > 0) {
    const found = passwd(sudoUid)
    if (found !== undefined) return found
    // The users of a Mac are not in that file; its sudo leaves HOME as it was.
    if (process.platform === 'darwin') return { uid: sudoUid, gid: Number(process.env.SUDO_GID) || 0, home: homedir() }
  }
  return { uid, gid: process.getgid?.() ?? 0, home: homedir() }
}

/** passwd(5): name:password:uid:gid:comment:home:shell. */
function passwd(uid: number): Invoker | undefined {
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const fields = line.split(':')
      if (fields[2] === String(uid) && fields[5] !== undefined) return { uid, gid: Number(fields[3]), home: fields[5] }
    }
  } catch {
    // no such file: there are no other users
  }
  return undefined
}
