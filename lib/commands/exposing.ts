// Flags of the commands that lead traffic of the cluster to this laptop.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { KtError } from '../errors.ts'
import { CARRIER_KINDS, type CarrierKind } from '../kube/api/client.ts'
import { parseTarget } from '../kube/traffic/target.ts'
import type { ClusterOptions } from '../session/link/open-cluster.ts'
import type { ExchangeWish } from '../session/traffic-in/exchange.ts'
import type { ExposingOptions, LocalOptions } from '../session/traffic-in/exposing.ts'
import type { PreviewWish } from '../session/traffic-in/preview.ts'
import { clusterOptions } from './cluster-options.ts'
import type { GlobalFlags } from './global.ts'

/** Less, and the agent could end before the laptop has come for the first time; seconds. */
const GRACE_MIN_SECONDS = 5
const GRACE_MAX_SECONDS = 86_400
/** Oftener than this a new carrier costs more than it saves, seconds. */
const CARRIER_MIN_SECONDS = 10

/** How the agent and the local programs are treated, wherever traffic comes in. */
export interface LocalFlags extends GlobalFlags {
  skipPortChecking?: boolean
  proxyProtocol?: boolean
  grace?: number
  carrierMaxAge?: number
  carrier?: CarrierKind
}

export interface ExposingFlags extends LocalFlags {
  expose?: string
  detach?: boolean
}

/** Flags that exchange and preview share. */
export function exposingFlags(command: Command): Command {
  return localFlags(
    command.option('--expose <ports>', 'port, local:remote or host:local:remote; /udp behind it; several with commas')
  ).option('-D, --detach', 'go to the background once everything works')
}

/** Those of them that `kt up` takes, too. */
export function localFlags(command: Command): Command {
  return graceFlag(command)
    .option('--skipPortChecking', 'begin although nobody listens at the local port yet')
    .option('--proxyProtocol', 'hand the address of the caller to the local program (PROXY protocol v2)')
}

/** For every command that has an agent. */
export function graceFlag(command: Command): Command {
  return command
    .option(
      '--grace <seconds>',
      'how long the agent waits for this laptop when it has gone (default: 180)',
      graceSeconds
    )
    .option(
      '--carrierMaxAge <age>',
      'a new port-forward takes over from one of this age, before a proxy ends it: 90s, 50m (default: 50m)',
      carrierAgeMs
    )
    .addOption(
      new Option('--carrier <kind>', 'port-forward; ssh: encrypted as far as the pod, inside of that')
        .choices(CARRIER_KINDS)
        .default('port-forward')
    )
}

function carrierAgeMs(text: string): number {
  const [, amount = '', unit] = /^(\d{1,5})(s|m|h)?$/.exec(text) ?? []
  const age = Number(amount) * { s: 1, m: 60, h: 3600 }[unit ?? 's']!
  if (amount !== '' && age >= CARRIER_MIN_SECONDS && age <= GRACE_MAX_SECONDS) return age * 1000
  throw new InvalidArgumentError(`${CARRIER_MIN_SECONDS}s to 24h are possible`)
}

function graceSeconds(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (seconds >= GRACE_MIN_SECONDS && seconds <= GRACE_MAX_SECONDS) return seconds
  throw new InvalidArgumentError(`${GRACE_MIN_SECONDS} to ${GRACE_MAX_SECONDS} seconds are possible`)
}

/** Which cluster, what is wanted of the pod, and how long its agent waits. */
export function agentOptions(
  flags: GlobalFlags & Pick<LocalFlags, 'grace' | 'carrierMaxAge' | 'carrier'>
): ClusterOptions & { image: string } {
  const options = { ...clusterOptions(flags), carrierMaxAgeMs: flags.carrierMaxAge, carrier: flags.carrier }
  return flags.grace === undefined ? options : { ...options, pod: { ...options.pod, orphanSeconds: flags.grace } }
}

export function localOptions(flags: LocalFlags): Omit<LocalOptions, 'image'> {
  return {
    skipPortChecking: flags.skipPortChecking ?? false,
    proxyProtocol: flags.proxyProtocol ?? false,
    calls: flags.debug ?? false
  }
}

export function exposingOptions(flags: ExposingFlags): ExposingOptions {
  return { ...agentOptions(flags), ...localOptions(flags) }
}

/** `--exchange shop:3000:80`: what stands behind the first colon is `--expose`. Throws KT_USAGE. */
export function exchangeWish(text: string, rest: Pick<ExchangeWish, 'takeover' | 'fallback'>): ExchangeWish {
  const [target, expose] = atColon(text)
  return { target: parseTarget(target), expose, ...rest }
}

/** `--preview shop-next:3000:80`. Throws KT_USAGE. */
export function previewWish(text: string): PreviewWish {
  const [name, expose] = atColon(text)
  demandPreview(name, expose)
  return { name, expose, external: false }
}

/** Throws KT_USAGE for what cannot be the name of a new service, and without ports. */
export function demandPreview(name: string, expose: string): void {
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new KtError('KT_USAGE', `"${name}" cannot be the name of a service`, {
      hint: 'lower-case letters, digits and -, a letter first, at most 63'
    })
  if (expose === '')
    throw new KtError('KT_USAGE', '--expose is missing', { hint: `for example: kt preview ${name} --expose 8080` })
}

function atColon(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}
