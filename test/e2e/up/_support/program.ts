// Programs on the laptop whose failure fails the test.
import { join } from 'node:path'
import type { ClusterName } from '../../_support/areas.ts'
import { type LaptopOptions, laptop } from '../../_support/laptop.ts'

const PEERS = join(import.meta.dirname, '../peers')

/** Run a program on the laptop; what it printed, or an error that holds all it said. */
export async function program(command: string, ...args: string[]): Promise<string> {
  return succeed({}, command, ...args)
}

/** The same with options. */
export async function succeed(options: LaptopOptions, command: string, ...args: string[]): Promise<string> {
  const { code, signal, stdout, stderr } = await laptop(command, args, options)
  if (code === 0) return stdout
  const said = `${stdout.slice(-2000)}${stderr.slice(-2000)}`
  throw new Error(`${command} ${args.join(' ').slice(0, 300)}: ${signal ?? `exit code ${code}`}\n${said}`)
}

/** Run peers/NAME.peer.ts on the laptop, in Node; what it printed, as JSON. */
export async function peer<T>(name: string, ...args: (string | number)[]): Promise<T> {
  return peerOf('main', name, ...args)
}

/** The same on the laptop of another cluster. */
export async function peerOf<T>(cluster: ClusterName, name: string, ...args: (string | number)[]): Promise<T> {
  const options = { cluster, timeoutMs: 180_000 }
  return JSON.parse(await succeed(options, process.execPath, peerPath(name), ...args.map(String))) as T
}

/** The file of a peer. */
export function peerPath(name: string): string {
  return join(PEERS, `${name}.peer.ts`)
}
