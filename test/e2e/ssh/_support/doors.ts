// Whether a program of kt goes by a door for ssh in its pod, as --carrier ssh does.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { kubectl } from '../../_support/kubectl.ts'
import { collect, type LaptopOptions, spawnOnLaptop } from '../../_support/laptop.ts'

interface ConfigMaps {
  items: { metadata: { name: string }; data?: Record<string, string> }[]
}

/** The ConfigMaps of the namespace demo that have one. */
export async function doors(): Promise<string[]> {
  const list = await kubectl(['-n', 'demo', 'get', 'configmaps', '-l', 'control-by=kt', '-o', 'json'])
  const { items } = JSON.parse(list) as ConfigMaps
  return items.filter(({ data }) => data?.['ssh-door.cjs'] !== undefined).map(({ metadata }) => metadata.name)
}

/** Run a program of the laptop that says one line, and ends with its input: what it has said, and whether there was one door more meanwhile. */
export async function besideDoors(
  words: readonly string[],
  options: LaptopOptions
): Promise<{ code: number | null; lines: string[]; stderr: string; isDoor: boolean }> {
  const before = await doors()
  const child = spawnOnLaptop(process.execPath, words, options)
  const stderr = collect(child.stderr)
  const ended = once(child, 'close')
  const lines: string[] = []
  const output = createInterface(child.stdout).on('line', line => lines.push(line))
  await Promise.race([once(output, 'line'), ended])
  const now = await doors()
  child.stdin.end()
  const [code] = (await ended) as [number | null]
  return { code, lines, stderr: stderr(), isDoor: now.some(name => !before.includes(name)) }
}
