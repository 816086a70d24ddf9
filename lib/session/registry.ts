// Which kt processes run on this laptop: one state file and one control socket each, in a directory only its owner can read.
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToInvoker, networkNamespace, processStart, stateDirectory } from '../host/state.ts'

/** What `kt status`, `kt down` and a second `kt up` read. Field names are stable. */
export interface SessionState {
  pid: number
  /** Start time of the process in clock ticks since boot: a pid that was given away again does not deceive us. */
  started: string
  /** Identifies the network namespace: another one is another laptop. */
  network: string
  command: string
  version: string
  context: string
  server: string
  namespace: string
  /** Milliseconds since the epoch. */
  since: number
  socket: string
  log: string
}

const runDirectory = (): string => stateDirectory('run')

export const socketPath = (pid: number): string => join(runDirectory(), `${pid}.sock`)
const filePath = (pid: number): string => join(runDirectory(), `${pid}.json`)

/** Write the state file of this process; the result removes it and the socket. */
export function register(state: SessionState): () => void {
  const path = filePath(state.pid)
  writeFileSync(`${path}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 })
  giveToInvoker(`${path}.new`)
  renameSync(`${path}.new`, path)
  return () => forget(state.pid)
}

function forget(pid: number): void {
  rmSync(filePath(pid), { force: true })
  rmSync(socketPath(pid), { force: true })
}

/** The sessions that live in this network namespace; files of dead processes are removed on the way. */
export function sessions(): SessionState[] {
  const found: SessionState[] = []
  for (const name of readdirSync(runDirectory())) {
    if (!name.endsWith('.json')) continue
    const state = read(join(runDirectory(), name))
    if (state === undefined) continue
    if (processStart(state.pid) !== state.started) forget(state.pid)
    else if (state.network === networkNamespace()) found.push(state)
  }
  return found.sort((a, b) => a.since - b.since)
}

function read(path: string): SessionState | undefined {
  try {
    const state: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof state === 'object' && state !== null && 'pid' in state && Number.isInteger(state.pid)) {
      return state as SessionState
    }
  } catch {
    // half written or gone: it describes nobody
  }
  return undefined
}
