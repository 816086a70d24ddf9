// /etc/hosts with the names of the cluster, for laptops whose resolver must stay as it is: written, kept up to date, put back.
import { readFile } from 'node:fs/promises'
import { KtError } from '../errors.ts'
import { hasBlock, withBlock, withoutBlock } from './hosts-block.ts'
import type { Journal, Recorded } from './journal.ts'
import { overwrite } from './overwrite.ts'
import { systemFile } from './powershell.ts'

const HOSTS = process.platform === 'win32' ? systemFile('drivers\\etc\\hosts') : '/etc/hosts'

/** A line of the journal. What is to be undone is what stands between the marks, whatever it is by then. */
export interface HostsChange {
  kind: 'hosts'
  /** The file before, latin1. */
  before: string
}

/** Our block in /etc/hosts. Changes are made one after the other. */
export class HostsFile {
  readonly #journal: Journal
  #change: HostsChange | undefined
  #recorded: Recorded | undefined
  #lines: readonly string[] | undefined
  #ended: boolean = false
  #queue: Promise<unknown> = Promise.resolve()

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Make these the lines of our block. Rejects with KT_RESOLVER or KT_JOURNAL. */
  set(lines: readonly string[]): Promise<void> {
    return this.#after(async () => {
      if (this.#ended || this.#lines?.join('\n') === lines.join('\n')) return
      const text = await read()
      if (this.#change === undefined) {
        this.#change = { kind: 'hosts', before: withoutBlock(text) }
        this.#recorded = this.#journal.record(this.#change)
      }
      await write(withBlock(text, lines))
      this.#lines = lines
    })
  }

  /** Take our block out for good; a line for the user when the file is not what it was before. Called again it does nothing. */
  restore(): Promise<string | undefined> {
    return this.#after(async () => {
      this.#ended = true
      if (this.#change === undefined) return undefined
      const result = await undoHosts(this.#change)
      this.#recorded?.done()
      this.#change = undefined
      return result === 'merged' ? describeHostsUndo(result) : undefined
    })
  }

  #after<T>(f: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(f)
    this.#queue = next.catch(() => {})
    return next
  }
}

/** Take our block out. `restored`: the file is as it was, byte by byte. `merged`: somebody has changed the rest meanwhile, and that stays. */
export async function undoHosts({ before }: HostsChange): Promise<'restored' | 'merged' | 'nothing'> {
  const now = await read()
  if (!hasBlock(now)) return 'nothing'
  const rest = withoutBlock(now)
  // A file that did not end in a line break got one from us.
  const isAsBefore = rest === before || rest === `${before}\n`
  await write(isAsBefore ? before : rest)
  return isAsBefore ? 'restored' : 'merged'
}

/** What `undoHosts` did, for the user; undefined when it did nothing. */
export function describeHostsUndo(result: 'restored' | 'merged' | 'nothing'): string | undefined {
  if (result === 'restored') return `${HOSTS} is as it was before`
  if (result === 'merged')
    return `${HOSTS} was changed by another program meanwhile: only kt's own lines were taken out`
  return undefined
}

/** A file that is not there is not made: then `hosts` is no way to be found on this computer. */
async function read(): Promise<string> {
  return readFile(HOSTS, 'latin1').catch((error: unknown) => Promise.reject(problem('read', error)))
}

async function write(text: string): Promise<void> {
  await overwrite(HOSTS, text).catch((error: unknown) => Promise.reject(problem('written', error)))
}

function problem(verb: string, cause: unknown): KtError {
  return new KtError('KT_RESOLVER', `${HOSTS} cannot be ${verb}: ${(cause as Error).message}`, { cause })
}
