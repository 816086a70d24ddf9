// A way from the laptop to the traffic server: kt's, a rival's, or the direct one.
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Generator } from '../harness/generator.ts'
import type { Target } from '../traffic/dial.ts'

/** Which port of the traffic server is meant. */
export type Port = 'traffic' | 'http' | 'udp'

/** Where a way begins and ends. */
export interface Laptop {
  /** Makes traffic there. */
  readonly generator: Generator
  /** The server at the other end. */
  readonly traffic: TrafficServer
  /** Node image in the cluster, for the agent. */
  readonly image: string
  readonly kubeconfig: string
  /** Start a program there; its output is read through pipes. */
  spawn(program: string, args: string[], env?: Record<string, string>): ChildProcess
}

export interface TrafficServer {
  namespace: string
  /** Name of the pod and of its Service. */
  name: string
  podAddress: string
  serviceAddress: string
  /** Of the pod. */
  uid: string
}

export interface Way {
  readonly name: string
  /** Where a program connects in order to get there; undefined when this way does not carry it. */
  target(port: Port): Target | undefined
  /** From where. */
  readonly generator: Generator
  /** Its processes on the laptop; their descendants count, too. */
  readonly pids: number[]
  /** Uid of the pod that works for it in the cluster, when that is not kt's. */
  readonly agent?: string
  close(): Promise<void>
}

/** Why a way is not measured on this machine; a note in the report and no failure. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** Grace of a process that was asked to end. */
const END_MS = 20_000
/** Last words of a program that are shown when it fails. */
const LAST_LINES = 8

/** Wait until a program prints a line for which `match` returns something; rejects with its last words otherwise. */
export function waitForLine<T>(
  child: ChildProcess,
  timeoutMs: number,
  match: (line: string) => T | undefined
): Promise<T> {
  return new Promise((resolve, reject) => {
    const last: string[] = []
    const fail = (why: string): void => reject(new Error([`${child.spawnargs.join(' ')}: ${why}`, ...last].join('\n')))
    const timer = setTimeout(() => {
      child.kill()
      fail(`not ready after ${timeoutMs} ms`)
    }, timeoutMs)
    const onLine = (line: string): void => {
      last.push(line)
      if (last.length > LAST_LINES) last.shift()
      const found = match(line)
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    }
    for (const stream of [child.stdout, child.stderr]) if (stream) createInterface(stream).on('line', onLine)
    child.once('error', error => fail(error.message))
    child.once('close', code => {
      clearTimeout(timer)
      fail(`ended with ${code}`)
    })
  })
}

/** End a process of ours and wait for it; its exit code, null when a signal ended it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  return new Promise(resolve => {
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS)
    child.once('exit', code => {
      clearTimeout(timer)
      resolve(code)
    })
    child.kill(signal)
  })
}
