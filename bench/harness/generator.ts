// The traffic generator as seen from the benchmark: a process in a namespace that takes orders.
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Order, Orders } from '../traffic/generator.ts'

const PROGRAM = fileURLToPath(new URL('../traffic/generator.ts', import.meta.url))

/** Starts a program in some namespace, with an IPC channel; see {@link Testbed}. */
export type SpawnNode = (args: string[]) => ChildProcess

export class Generator {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0

  constructor(spawnNode: SpawnNode) {
    this.#child = spawnNode([PROGRAM])
    this.#child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    this.#child.on('exit', code => {
      for (const [id, done] of this.#waiting) done({ id, error: `the traffic generator has ended (${code})` })
      this.#waiting.clear()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Have something done; rejects with the generator's reason. */
  order<K extends keyof Orders>(what: K, request: Orders[K]['request']): Promise<Orders[K]['result']> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as Orders[K]['result'])
        else reject(new Error(error))
      })
      this.#child.send({ id, what, request } satisfies Order<K>, error => {
        if (error) reject(error)
      })
    })
  }

  close(): void {
    this.#child.removeAllListeners('exit')
    if (this.#child.connected) this.#child.disconnect()
  }
}
