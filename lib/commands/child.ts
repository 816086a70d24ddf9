// The program of `kt up -- CMD` and `kt shell`: begun when everything works, told of our signals, its end is ours.
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { KtError } from '../errors.ts'

/** POSIX shells: not found, found but not to be run, ended by a signal. */
const NOT_FOUND = 127
const NOT_RUNNABLE = 126
const SIGNALLED = 128

export class Child {
  #words: readonly string[]
  readonly #environment: NodeJS.ProcessEnv
  #process: ChildProcess | undefined

  constructor(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#words = words
    this.#environment = { ...process.env, ...environment }
  }

  /** Further variables, known before it starts. */
  give(environment: Readonly<Record<string, string>>): void {
    Object.assign(this.#environment, environment)
  }

  /** Words in front of its own, which make it run inside of something; known before it starts. */
  within(words: readonly string[]): void {
    this.#words = [...words, ...this.#words]
  }

  /** Does it run now? */
  get runs(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Start it; `ended` is told its exit code, or what a shell would make of it. Never throws. */
  start(ended: (code: number, why: string) => void): void {
    const [program = '', ...args] = this.#words
    this.#process = spawn(program, args, { stdio: 'inherit', env: this.#environment })
    this.#process.once('error', (error: NodeJS.ErrnoException) => {
      this.#process = undefined
      process.stderr.write(`kt: ${program} cannot be run: ${error.code === 'ENOENT' ? 'not found' : error.message}\n`)
      ended(error.code === 'ENOENT' ? NOT_FOUND : NOT_RUNNABLE, `${program} cannot be run`)
    })
    this.#process.once('exit', (code, signal) => {
      ended(code ?? (signal === null ? SIGNALLED : signalled(signal)), `${program} has ended`)
    })
  }

  /** Give it a signal of ours. What a terminal sends goes to both of us already. */
  pass(signal: NodeJS.Signals): void {
    const sentToBoth = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')
    if (!sentToBoth) this.#process?.kill(signal)
  }
}

/** The exit code of what a signal has ended, as shells have it. */
export function signalled(signal: NodeJS.Signals): number {
  return SIGNALLED + constants.signals[signal]
}

/** The commands that run a program, and the one that completes their command lines. */
const WITH_PROGRAM = ['up', 'shell', '__complete']

/** Words behind `--` belong to few commands. Throws KT_USAGE. */
export function demandUp(command: string, words: readonly string[]): void {
  if (words.length === 0 || WITH_PROGRAM.includes(command)) return
  throw new KtError('KT_USAGE', `kt ${command} takes no program behind --`, { hint: 'kt up -- CMD runs one' })
}
