// Programs of a measurement without a cluster: started in a network namespace of their own, spoken to by messages.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Start `bench/ends/NAME.ts` and wait until it says 'ready'. */
export async function startEnd(netns: string | undefined, name: string, args: string[] = []): Promise<ChildProcess> {
  const program = [process.execPath, fileURLToPath(new URL(`${name}.ts`, import.meta.url)), ...args]
  const [command, ...rest] = netns === undefined ? program : ['ip', 'netns', 'exec', netns, ...program]
  const child = spawn(command!, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`bench/ends/${name}.ts ended with ${code}`)
  })
  ended.catch(() => {}) // once it is ready its end is expected
  await Promise.race([once(child, 'message'), ended])
  return child
}

/** Send a message and wait for the next one that comes back. */
export async function ask<T>(child: ChildProcess, order: object): Promise<T> {
  const answer = once(child, 'message')
  child.send(order)
  return (await answer)[0] as T
}

/** It ends itself when its channel closes. */
export async function endEnd(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.disconnect()
  await exited
}
