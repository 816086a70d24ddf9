// The developer's laptop of a cluster: a network namespace with no way out but to the API server and the company's DNS.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { delimiter, dirname } from 'node:path'
import { SYSTEM_PATH } from './run.ts'
import type { Settings } from './settings.ts'

/** What a program on the laptop finds in its environment. */
export function laptopVariables(settings: Settings): Record<string, string> {
  const path = [dirname(process.execPath), settings.binaries, process.env.PATH ?? '', SYSTEM_PATH]
  return { KUBECONFIG: settings.kubeconfig, KT_HOME: settings.ktHome, PATH: path.join(delimiter) }
}

/** The command line that starts a command on the laptop. Its /etc/resolv.conf is a bind mount, as in containers. */
export function onLaptop(settings: Settings, command: string[]): [program: string, args: string[]] {
  return ['ip', ['netns', 'exec', settings.laptop, ...command]]
}

/** Run a command on the laptop with our own input and output; its exit code. Signals that end us are passed on first. */
export async function runOnLaptop(settings: Settings, command: string[]): Promise<number> {
  const [program, args] = onLaptop(settings, command)
  return attached(spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...laptopVariables(settings) } }))
}

/** Run a command of this machine with the cluster's environment; its exit code. */
export async function runBeside(settings: Settings, command: string, args: string[]): Promise<number> {
  return attached(spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...laptopVariables(settings) } }))
}

async function attached(child: ChildProcess): Promise<number> {
  const pass = (name: NodeJS.Signals): boolean => child.kill(name)
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, pass)
  process.on('SIGINT', () => {}) // a terminal has sent it to the child as well, which decides
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? 128 + (signal ? constants.signals[signal] : 0)
}
