// What lib/host does for a session, in the few commands that a test or a bench needs.
import { execFileSync } from 'node:child_process'
import type { Device } from '../../lib/tun/device.ts'
import { TX_QUEUE_LENGTH } from '../../lib/tun/linux.ts'

export const LAPTOP = { 4: '198.18.0.1', 6: 'fd6b:7400::1' } as const
/** Two addresses of a range that is routed into the TUN. */
export const CLUSTER = { 4: '10.96.0.7', 6: 'fd00:96::7' } as const

/** Give the device of this namespace its addresses, MTU and routes. */
export function configure(device: Device): void {
  const ip = (...args: string[]): void => void execFileSync('ip', args)
  ip('link', 'set', 'dev', device.name, 'mtu', String(device.mtu), 'txqueuelen', String(TX_QUEUE_LENGTH), 'up')
  ip('addr', 'add', `${LAPTOP[4]}/30`, 'dev', device.name)
  ip('-6', 'addr', 'add', `${LAPTOP[6]}/126`, 'dev', device.name, 'nodad')
  ip('route', 'add', '10.96.0.0/16', 'dev', device.name)
  ip('-6', 'route', 'add', 'fd00:96::/112', 'dev', device.name)
}
