// What was changed on this computer, written down before it is changed, so that a later kt can undo it.
// One file per process, a line of JSON each: who writes, what is about to change, what has been undone.
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync
} from 'node:fs'
import { basename, join } from 'node:path'
import { KtError } from '../errors.ts'
import { describeHostsUndo, type HostsChange, undoHosts } from './hosts-file.ts'
import { describeUndo, type ResolvConfChange, undoResolvConf } from './resolv-conf-file.ts'
import { type ResolverFilesChange, undoResolverFiles } from './resolver-files.ts'
import { type NrptChange, undoNrpt } from './resolver-windows.ts'
import { bootId, giveToInvoker, networkNamespace, processStart } from './state.ts'

/** Everything that outlives a dead process. Routes and settings of the link are not here: they go with the device. */
export type Change = ResolvConfChange | HostsChange | ResolverFilesChange | NrptChange

export interface Journal {
  /** Write down what is about to be changed; on the disk when this returns. Throws KT_JOURNAL: then change nothing. */
  record(change: Change): Recorded
  /** The end of the process: the file goes if everything has been undone. */
  close(): void
}

/** A change in the journal. */
export interface Recorded {
  /** It has been undone. */
  done(): void
}

/** First line of a file: whose it is. */
interface Owner {
  pid: number
  started: string
  /** Network namespace and boot: whether this kt sees the same computer. */
  network: string
  boot: string
}

type Line = { owner: Owner } | { change: Change; number: number } | { done: number }

const SUFFIX = '.journal'
/** Name of a journal; with the part behind it, a process is about to undo what is in it: its number and start. */
const NAME = /^(?<name>\d+-\d+\.journal)(\.claimed-(?<pid>\d+)-(?<started>.+))?$/

/** Begin a journal in `directory`; the file appears with the first change. */
export function openJournal(directory: string): Journal {
  const path = join(directory, `${process.pid}-${Date.now()}${SUFFIX}`)
  const open = new Set<number>()
  let file: number | undefined
  let count = 0
  const append = (line: Line): void => {
    try {
      file ??= create(path)
      writeSync(file, `${JSON.stringify(line)}\n`)
      fsyncSync(file)
    } catch (cause) {
      throw new KtError('KT_JOURNAL', `the journal ${path} cannot be written: ${(cause as Error).message}`, { cause })
    }
  }
  return {
    record(change) {
      const number = ++count
      append({ change, number })
      open.add(number)
      return {
        done() {
          if (open.delete(number)) append({ done: number })
        }
      }
    },
    close() {
      if (file === undefined) return
      closeSync(file)
      file = undefined
      if (open.size === 0) rmSync(path, { force: true })
    }
  }
}

function create(path: string): number {
  const file = openSync(path, 'ax', 0o600)
  giveToInvoker(path)
  const owner: Owner = {
    pid: process.pid,
    started: processStart(process.pid) ?? '',
    network: networkNamespace(),
    boot: bootId()
  }
  writeSync(file, `${JSON.stringify({ owner })}\n`)
  return file
}

/**
 * Undo what dead processes have left, last change first, and only where what is there is still what they wrote.
 * Result: one line for each thing that was put back, or could not be. Journals of living processes and of other
 * network namespaces are not touched. Two processes may call this at once: one of them gets each file.
 */
export async function recoverJournals(directory: string): Promise<string[]> {
  const said: string[] = []
  for (const file of readdirSync(directory).sort()) {
    const { name, pid, started } = NAME.exec(file)?.groups ?? {}
    const claimed = pid !== undefined && processStart(Number(pid)) === started
    if (name !== undefined && !claimed) said.push(...(await recover(join(directory, file), join(directory, name))))
  }
  return said
}

/** `path` is the file, `name` what it is called while nobody claims it. */
async function recover(path: string, name: string): Promise<string[]> {
  const { owner, changes } = read(path)
  if (owner === undefined) {
    // Its process died before the first line was complete, and so before the first change.
    if (processStart(Number.parseInt(basename(name), 10)) === undefined) rmSync(path, { force: true })
    return []
  }
  if (processStart(owner.pid) === owner.started) return []
  if (owner.boot === bootId() && owner.network !== networkNamespace()) return []
  const mine = `${name}.claimed-${process.pid}-${processStart(process.pid)}`
  try {
    renameSync(path, mine)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // another kt was quicker
    return [`not put back: ${(error as Error).message}`]
  }
  const said: string[] = []
  let failed = false
  for (const change of changes.reverse()) {
    try {
      const line = await undo(change)
      if (line !== undefined) said.push(line)
    } catch (error) {
      failed = true
      said.push(`not put back: ${(error as Error).message}`)
    }
  }
  // What failed, the next kt tries again.
  if (failed) renameSync(mine, name)
  else unlinkSync(mine)
  return said
}

async function undo(change: Change): Promise<string | undefined> {
  switch (change.kind) {
    case 'resolv.conf':
      return describeUndo(await undoResolvConf(change))
    case 'hosts':
      return describeHostsUndo(await undoHosts(change))
    case 'resolver-files':
      return undoResolverFiles(change) ? `${change.directory} is as it was before` : undefined
    case 'nrpt':
      return (await undoNrpt(change)) ? 'the NRPT rules of kt are removed' : undefined
  }
}

/** What of a journal can be read: a last line without its end was not written before its change, so nothing was changed. */
function read(path: string): { owner?: Owner; changes: Change[] } {
  let owner: Owner | undefined
  const open = new Map<number, Change>()
  for (const text of lines(path)) {
    let line: Partial<Line> | null
    try {
      line = JSON.parse(text) as Partial<Line> | null
    } catch {
      continue
    }
    // A disk that was full, or lost its power, may have kept anything.
    if (typeof line !== 'object' || line === null) continue
    if ('owner' in line) owner = line.owner ?? undefined
    else if ('change' in line) open.set(line.number ?? 0, line.change as Change)
    else if ('done' in line) open.delete(line.done ?? 0)
  }
  return owner === undefined ? { changes: [] } : { owner, changes: [...open.values()] }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}
