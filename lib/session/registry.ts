// Which kt processes run on this laptop: one state file and one control socket each, in a directory only its owner can read.
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToInvoker, networkNamespace, processStart, stateDirectory } from '../host/state.ts'
import { PIPES } from './control.ts'

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

/**
 * Where the session of process `pid` can be asked, made anew with each call on Windows: a pipe has no directory that keeps others out, so
 * its name cannot be guessed and is known from the state file alone.
 */
export function socketPath(pid: number, platform: string = process.platform): string {
  return platform === 'win32' ? `${PIPES}kt-${pid}-${randomUUID()}` : join(runDirectory(), `${pid}.sock`)
}

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
  rmSync(join(runDirectory(), `${pid}.sock`), { force: true })
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
