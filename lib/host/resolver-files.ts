// Files in /etc/resolver, resolver(5) of macOS: each names the servers for the domain it is called like. Written, and put back.
import { lstatSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KtError } from '../errors.ts'
import type { Journal, Recorded } from './journal.ts'

/** A line of the journal. */
export interface ResolverFilesChange {
  kind: 'resolver-files'
  directory: string
  /** It was not there before. */
  madeDirectory: boolean
  /** `before`: null where there was none; latin1. */
  files: { name: string; before: string | null; written: string }[]
}

/** Begins what is ours: left by a kt whose journal is lost, it is nobody's wish. */
const MARK = '# kt: while kt is connected these names are answered here; kt takes this file away again\n'

/** What may be the name of a file and of a domain. */
const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i

export class ResolverFiles {
  readonly #directory: string
  readonly #journal: Journal
  readonly #names = new Set<string>()
  readonly #changes: { change: ResolverFilesChange; recorded: Recorded }[] = []

  constructor(directory: string, journal: Journal) {
    this.#directory = directory
    this.#journal = journal
  }

  /**
   * Add those that are not there yet: `text` is what stands in the file for `name`. What is no name of a domain is left out. True:
   * something is new. Throws KT_RESOLVER or KT_JOURNAL; what had been written until then is undone by `restore`.
   */
  add(names: readonly string[], text: string): boolean {
    const directory = this.#directory
    const fresh = [...new Set(names)].filter(name => NAME.test(name) && !this.#names.has(name))
    if (fresh.length === 0) return false
    const written = MARK + text
    const files = fresh.map(name => ({ name, before: ownersText(join(directory, name)), written }))
    const change: ResolverFilesChange = { kind: 'resolver-files', directory, madeDirectory: !isThere(directory), files }
    const recorded = this.#journal.record(change)
    this.#changes.push({ change, recorded })
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      for (const name of fresh) {
        writeFileSync(join(directory, name), written, { encoding: 'latin1', mode: 0o644 })
        this.#names.add(name)
      }
    } catch (cause) {
      throw new KtError('KT_RESOLVER', `${directory} cannot be written: ${(cause as Error).message}`, { cause })
    }
    return true
  }

  /** Everything as it was. Called again it does nothing. */
  restore(): void {
    for (let last = this.#changes.pop(); last !== undefined; last = this.#changes.pop()) {
      undoResolverFiles(last.change)
      last.recorded.done()
    }
  }
}

/** Put back what was there, where it is still what kt wrote; true: there was something to put back. Throws KT_RESOLVER. */
export function undoResolverFiles({ directory, madeDirectory, files }: ResolverFilesChange): boolean {
  let undone = false
  try {
    for (const { name, before, written } of files) {
      const path = join(directory, name)
      if (text(path) !== written) continue
      if (before === null) rmSync(path)
      else writeFileSync(path, before, 'latin1')
      undone = true
    }
    if (madeDirectory) rmdirSync(directory)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // Somebody else has put something there meanwhile, or has taken it away.
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT')
      throw new KtError('KT_RESOLVER', `${directory} cannot be put back: ${(cause as Error).message}`, { cause })
  }
  return undone
}

function ownersText(path: string): string | null {
  const now = text(path)
  return now === undefined || now.startsWith(MARK) ? null : now
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
