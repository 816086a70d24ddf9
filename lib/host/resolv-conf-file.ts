// /etc/resolv.conf itself: changed so that it can be put back byte by byte, with its mode, owner, label and links.
import { lstat, readFile, readlink, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { KtError } from '../errors.ts'
import { overwrite } from './overwrite.ts'
import { hasOurs, type Ours, parseResolvConf, withoutOurs } from './resolv-conf.ts'
import { isKtServer } from './slots.ts'

export const RESOLV_CONF = '/etc/resolv.conf'

/** What stood at the path: nothing, a link to somewhere, or a file with this text. */
export type Before =
  | { kind: 'missing' }
  | { kind: 'symlink'; target: string; text: string }
  | { kind: 'file'; text: string }

/** A line of the journal. Texts are latin1, so that every byte survives. */
export interface ResolvConfChange {
  kind: 'resolv.conf'
  before: Before
  /** What was written. */
  written: string
  ours: Ours
}

/** What stands at the path now. A link that leads nowhere has an empty text. */
export async function readResolvConf(path = RESOLV_CONF): Promise<Before> {
  try {
    if ((await lstat(path)).isSymbolicLink()) {
      const target = await readlink(path)
      return { kind: 'symlink', target, text: await readFile(path, 'latin1').catch(() => '') }
    }
    return { kind: 'file', text: await readFile(path, 'latin1') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' }
    throw problem(path, 'read', error)
  }
}

/**
 * Write `change.written`. A file is overwritten in place: it stays the same inode with its mode, owner and security label, and a bind
 * mount allows nothing else. A link is replaced by a file, because what it leads to belongs to another program.
 */
export async function writeResolvConf(change: ResolvConfChange, path = RESOLV_CONF): Promise<void> {
  try {
    if (change.before.kind === 'file') await overwrite(path, change.written)
    else
      await replace(path, temporary =>
        writeFile(temporary, change.written, { encoding: 'latin1', mode: 0o644, flag: 'wx' })
      )
  } catch (error) {
    throw problem(path, 'written', error)
  }
}

/**
 * Put back what was there. `restored`: byte by byte. `merged`: somebody has changed the file meanwhile, and only our lines
 * were taken out of it. `nothing`: there was nothing of ours, or another session has taken the file over and puts it back.
 */
export async function undoResolvConf(
  change: ResolvConfChange,
  path = RESOLV_CONF
): Promise<'restored' | 'merged' | 'nothing'> {
  const { before, written, ours } = change
  const now = await readResolvConf(path)
  try {
    if (now.kind === 'file' && now.text === written) {
      await putBack(before, path)
      return 'restored'
    }
    if (now.kind !== 'file' || !hasOurs(now.text, ours) || isOfAnother(now.text, ours)) return 'nothing'
    await overwrite(path, withoutOurs(now.text, ours))
    return 'merged'
  } catch (error) {
    throw problem(path, 'put back', error)
  }
}

/** What `undoResolvConf` did, for the user; undefined when it did nothing. */
export function describeUndo(result: 'restored' | 'merged' | 'nothing', path = RESOLV_CONF): string | undefined {
  if (result === 'restored') return `${path} is as it was before`
  if (result === 'merged') return `${path} was changed by another program meanwhile: only kt's own lines were taken out`
  return undefined
}

/** True if the resolver of another session stands first. */
function isOfAnother(text: string, { server }: Ours): boolean {
  const [first = server] = parseResolvConf(text).nameservers
  return first !== server && isKtServer(first)
}

async function putBack(before: Before, path: string): Promise<void> {
  if (before.kind === 'file') await overwrite(path, before.text)
  else if (before.kind === 'missing') await unlink(path)
  else await replace(path, temporary => symlink(before.target, temporary))
}

/** Make the new thing beside the old one, then put it in its place in one step. */
async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.kt-${process.pid}`
  await unlink(temporary).catch(() => {})
  await make(temporary)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

function problem(path: string, verb: string, cause: unknown): KtError {
  const error = cause as NodeJS.ErrnoException
  if (error instanceof KtError) return error
  return new KtError('KT_RESOLVER', `${path} cannot be ${verb}: ${error.message}`, {
    hint: error.code === 'EPERM' ? `is it immutable? lsattr ${path}` : '',
    cause
  })
}
