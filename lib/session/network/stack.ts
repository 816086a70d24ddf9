// The packets of a device become connections and flows of the relay.
import type { WatchedNames } from '../../kube/network/services.ts'
import { Stack } from '../../stack/stack.ts'
import type { Device } from '../../tun/device.ts'
import { type PacketSeen, traceDevice } from '../../tun/tracer.ts'
import type { Running } from '../run.ts'
import type { Parts } from '../status.ts'
import type { Relay } from './relay.ts'

export interface StackParts {
  /** Is not closed with the stack. */
  device: Device
  relay: Relay
  /** For captures. */
  names: WatchedNames
  /** As the relay's. */
  toReal?(address: string): string
}

/** Begin to read; connections are closed with `life`. `kt capture` sees the packets. */
export function startStack({ life }: Running, parts: Parts, { device, relay, names, toReal }: StackParts): Stack {
  const listeners = new Set<PacketSeen>()
  parts.capturable = { device: device.name, listeners, nameOf: address => nameOf(names, toReal?.(address) ?? address) }
  const stack = new Stack({
    device: traceDevice(device, listeners),
    onConnection: pending => relay.onConnection(pending),
    onFlow: flow => relay.onFlow(flow),
    onEcho: echo => relay.onEcho(echo)
  })
  life.onStop('Connections closed', () => stack.close())
  stack.start()
  parts.stack = stack
  parts.device = device.name
  return stack
}

/** Full name of a service or endpoint, for captures. */
function nameOf(names: WatchedNames, address: string): string | undefined {
  const [owner] = names.reverse(address)
  if (owner === undefined) return undefined
  const host = owner.endpoint?.hostname ? `${owner.endpoint.hostname}.` : ''
  return `${host}${owner.service}.${owner.namespace}.svc.${names.domain}`
}
