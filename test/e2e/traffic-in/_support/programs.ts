// Programs that stay while a test runs: on the laptop, and in the pod of callers.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { collect, spawnOnLaptop } from '../../_support/laptop.ts'
import { NAMESPACE } from './ground.ts'

const PEERS = join(import.meta.dirname, '../peers')

export interface Program {
  /** What it has printed. */
  output(): string
  stop(): Promise<void>
}

/** A peer of this folder on the laptop; resolves when it has printed its first line. */
export async function program(peer: string, ...words: (string | number)[]): Promise<Program> {
  return await begun(spawnOnLaptop(process.execPath, [join(PEERS, peer), ...words.map(String)]))
}

/** A peer of this folder (`.mjs`) in the pod of callers. */
export async function programInPod(peer: string, ...words: (string | number)[]): Promise<Program> {
  const child = spawnOnLaptop('kubectl', inPodArguments(words))
  child.stdin.end(readFileSync(join(PEERS, peer)))
  return await begun(child)
}

/** kubectl's arguments for a module on standard input, in the pod of callers. */
export function inPodArguments(words: (string | number)[]): string[] {
  const node = ['node', '--input-type=module', '-', ...words.map(String)]
  return ['-n', NAMESPACE, 'exec', '-i', 'deployment/caller', '--', ...node]
}

async function begun(child: ChildProcessWithoutNullStreams): Promise<Program> {
  const [output, errors] = [collect(child.stdout), collect(child.stderr)]
  const ended = once(child, 'exit')
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error(`the program has ended: ${errors()}`)))
  ])
  return {
    output,
    async stop() {
      child.kill('SIGKILL')
      await ended
    }
  }
}
