// Which way the laptop's packets go.
import { laptop } from '../../_support/laptop.ts'
import { program } from './program.ts'

/** The device of `kt up`. */
export const DEVICE = 'kt0'

/** The device to which the kernel would hand a packet for this address; empty when it has no way for it. */
export async function deviceFor(address: string): Promise<string> {
  const { code, stdout } = await laptop('ip', ['route', 'get', address])
  return code === 0 ? (/ dev (\S+)/.exec(stdout)?.[1] ?? '') : ''
}

/** The destinations that are routed into the device, as `ip route` writes them, without its own subnet. */
export async function tunnelled(): Promise<string[]> {
  const routes = JSON.parse(await program('ip', '-j', '-4', 'route', 'show', 'dev', DEVICE)) as {
    dst: string
    protocol?: string
  }[]
  return routes.filter(({ protocol }) => protocol !== 'kernel').map(({ dst }) => dst)
}
