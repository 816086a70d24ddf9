// What kt keeps for OpenSSH below ~/.kt/ssh: a key of its own, and the host keys of the shadows that are about at the moment.
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../errors.ts'
import { giveToInvoker, processStart, stateDirectory } from '../host/state.ts'
import { sshKeyPair } from './key-pair.ts'

/** Another kt holds the list for a moment only; one that was killed meanwhile is not waited for, ms. */
const LOCK_LIMIT_MS = 2_000
const LOCK_PAUSE_MS = 10

/** Where they are; the directory is made when it is missing. */
export function sshFiles(): { identity: string; knownHosts: string } {
  const directory = stateDirectory('ssh')
  return { identity: join(directory, 'id_ed25519'), knownHosts: join(directory, 'known_hosts') }
}

/** The public half of kt's key as OpenSSH writes it. The private one is made when there is none, 0600, and stays on this computer. Throws KT_JOURNAL. */
export async function ownPublicKey(): Promise<string> {
  const { utils } = (await import('ssh2')).default
  const { identity } = sshFiles()
  const made = `${identity}.${process.pid}`
  try {
    writeFileSync(made, sshKeyPair().private, { mode: 0o600 })
    giveToInvoker(made)
    linkSync(made, identity) // fails where there is one, also if another kt has made it just now
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(identity, (cause as Error).message)
  } finally {
    rmSync(made, { force: true })
  }
  const key = utils.parseKey(readFileSync(identity))
  if (key instanceof Error) throw unusable(identity, key.message)
  return `${key.type} ${key.getPublicSSH().toString('base64')}`
}

/**
 * Let OpenSSH know `hostKey` (`ssh-ed25519 AAAA…`) under the name `alias` while this process lives; the result forgets it at once. Lines of
 * processes that have ended are removed on the way.
 */
export async function makeKnown(alias: string, hostKey: string): Promise<() => Promise<void>> {
  const line = `${alias} ${hostKey} kt ${process.pid} ${processStart(process.pid)}`
  await change(lines => [...lines, line])
  return async () => await change(lines => lines.filter(each => each !== line))
}

async function change(edit: (lines: string[]) => string[]): Promise<void> {
  const { knownHosts } = sshFiles()
  const unlock = await lock(`${knownHosts}.lock`)
  try {
    const lines = textOf(knownHosts).split('\n').filter(isAbout)
    const made = `${knownHosts}.new`
    writeFileSync(
      made,
      edit(lines)
        .map(line => `${line}\n`)
        .join(''),
      { mode: 0o600 }
    )
    giveToInvoker(made)
    renameSync(made, knownHosts)
  } finally {
    unlock()
  }
}

/** Does the process that has written the line live? */
function isAbout(line: string): boolean {
  const [, pid, start] = / kt (\d+) (\S+)$/.exec(line) ?? []
  return pid !== undefined && processStart(Number(pid)) === start
}

async function lock(path: string): Promise<() => void> {
  for (;;) {
    try {
      writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
      return () => rmSync(path, { force: true })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, (cause as Error).message)
    }
    if (ageMs(path) > LOCK_LIMIT_MS) rmSync(path, { force: true })
    await sleep(LOCK_PAUSE_MS)
  }
}

function ageMs(path: string): number {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // the first line makes it
  }
}

function unusable(path: string, why: string): KtError {
  return new KtError('KT_JOURNAL', `cannot use ${path}: ${why}`, { hint: 'remove it, and kt makes a new one' })
}
