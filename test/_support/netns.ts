// A network namespace of one's own: a laptop that can be broken without breaking this one. Processes in it are called by IPC.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Why there can be no namespace with a TUN here; undefined: there can. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'needs root'
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return 'needs /dev/net/tun'
  }
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
  } catch {
    return 'needs the program ip (iproute2) with the right to make namespaces'
  }
  return undefined
}

export class Namespace {
  readonly name: string
  readonly #workers: Worker[] = []

  /** Make one, with a loopback device that is up. Remove it whatever happens. */
  constructor() {
    this.name = `kt-test-${randomBytes(4).toString('hex')}`
    execFileSync('ip', ['netns', 'add', this.name])
    this.exec('ip', 'link', 'set', 'dev', 'lo', 'up')
  }

  /** Run a program inside; what it printed. */
  exec(command: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, command, ...args], { encoding: 'utf8', timeout: 30_000 })
  }

  /** Start a script inside which calls `serveCalls`. */
  fork(script: URL): Worker {
    const child = spawn('ip', ['netns', 'exec', this.name, process.execPath, fileURLToPath(script)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    const worker = new Worker(child)
    this.#workers.push(worker)
    return worker
  }

  /** End what runs inside, and the namespace with its devices and routes. */
  async remove(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.stop()))
    execFileSync('ip', ['netns', 'del', this.name])
  }
}

interface Call {
  id: number
  method: string
  args: unknown[]
}
interface Answer {
  id: number
  result?: unknown
  error?: string
}

/** A process in a namespace, as functions. */
export class Worker {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  readonly #exited: Promise<void>
  #calls = 0

  constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', message => {
      const { id, result, error } = message as Answer
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result)
      else waiting?.reject(new Error(error))
    })
    this.#exited = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`the worker ended: ${signal ?? code}`))
        this.#waiting.clear()
        resolve()
      })
    })
  }

  /** Call one of the worker's functions; arguments and result travel as JSON. */
  call<T = unknown>(method: string, ...args: unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#calls
      this.#waiting.set(id, { resolve: result => resolve(result as T), reject })
      this.#child.send({ id, method, args } satisfies Call, error => {
        if (error) reject(error)
      })
    })
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2000)
    await this.#exited
    clearTimeout(timer)
  }
}

/** In the worker: the functions that can be called. The process ends when the caller goes. */
export function serveCalls(functions: Record<string, (...args: never[]) => unknown>): void {
  process.on('message', message => {
    const { id, method, args } = message as Call
    const call = functions[method] as ((...args: unknown[]) => unknown) | undefined
    Promise.resolve()
      .then(() => {
        if (call === undefined) throw new Error(`no function ${method}`)
        return call(...args)
      })
      .then(
        result => process.send?.({ id, result } satisfies Answer),
        (error: unknown) =>
          process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      )
  })
  process.on('disconnect', () => process.exit())
}
