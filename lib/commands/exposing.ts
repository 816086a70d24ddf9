// Flags that exchange and preview share.
import type { Command } from 'commander'
import type { ExposingOptions } from '../session/exposing.ts'
import { detachedLog } from './detach.ts'
import { DEFAULT_IMAGE } from './foreground.ts'
import type { GlobalFlags } from './global.ts'

export interface ExposingFlags extends GlobalFlags {
  expose?: string
  skipPortChecking?: boolean
  proxyProtocol?: boolean
  detach?: boolean
}

export function exposingFlags(command: Command): Command {
  return command
    .option('--expose <ports>', 'port, local:remote or host:local:remote; /udp behind it; several with commas')
    .option('--skipPortChecking', 'begin although nobody listens at the local port yet')
    .option('--proxyProtocol', 'hand the address of the caller to the local program (PROXY protocol v2)')
    .option('-D, --detach', 'go to the background once everything works')
}

export function exposingOptions(flags: ExposingFlags): ExposingOptions {
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace: flags.namespace,
    image: flags.image ?? DEFAULT_IMAGE,
    skipPortChecking: flags.skipPortChecking ?? false,
    proxyProtocol: flags.proxyProtocol ?? false,
    calls: flags.debug ?? false,
    log: detachedLog()
  }
}
