// Which of several kt on this computer a command means.
import type { Command } from 'commander'
import { type SessionState, sessions } from '../session/registry.ts'
import type { GlobalFlags } from './global.ts'

/** Those that `--context` and `-n` name, all where neither is typed; a default of `kt config` is no wish here. The first one first. */
export function meant(command: Command): SessionState[] {
  const flags = command.optsWithGlobals<GlobalFlags>()
  const typed = (name: 'context' | 'namespace'): string | undefined =>
    command.getOptionValueSourceWithGlobals(name) === 'cli' ? flags[name] : undefined
  const [context, namespace] = [typed('context'), typed('namespace')]
  return sessions().filter(
    each => each.context === (context ?? each.context) && each.namespace === (namespace ?? each.namespace)
  )
}
