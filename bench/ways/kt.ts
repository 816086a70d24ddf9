// `kt up` on the laptop: programs connect to the Service's own address. And its proxy, of which two can run beside that.
import type { CarrierKind } from '../../lib/kube/api/client.ts'
import { installedKt } from '../harness/installed.ts'
import { TRAFFIC_PORT, UDP_PORT } from '../traffic/ports.ts'
import { end, type Laptop, type Port, type Way, waitForLine } from './way.ts'

const READY_MS = 60_000
/** Its name in the results. */
export const KT = 'kt up'

export interface KtOptions {
  /** Another one than the laptop's, for example one that names a proxy which adds delay. */
  kubeconfig?: string
  /** Gets what kt prints. */
  onLine?: (line: string) => void
  /** Further arguments. */
  args?: string[]
}

/** Start it and wait until it is ready. `stop` is Ctrl-C; it resolves with the exit code. */
export async function openKt(
  laptop: Laptop,
  options: KtOptions = {}
): Promise<Way & { stop(): Promise<number | null> }> {
  const args = [await installedKt(), 'up', '--image', laptop.image, ...(options.args ?? [])]
  const child = laptop.spawn(process.execPath, args, { KUBECONFIG: options.kubeconfig ?? laptop.kubeconfig })
  await waitForLine(child, READY_MS, line => {
    options.onLine?.(line)
    return line.includes('All looks good') ? true : undefined
  })
  const { serviceAddress } = laptop.traffic
  const stop = (): Promise<number | null> => end(child, 'SIGINT')
  return {
    name: KT,
    target: port => ({ host: serviceAddress, port: { traffic: TRAFFIC_PORT, http: 80, udp: UDP_PORT }[port] }),
    generator: laptop.generator,
    pids: [child.pid!],
    stop,
    close: async () => {
      await stop()
    }
  }
}

/** Where the proxies listen. */
const SOCKS_PORTS: Record<CarrierKind, number> = { 'port-forward': 2223, ssh: 2224 }

/** `kt up --socks`, by one kind of carrier or the other. */
export async function openKtProxy(laptop: Laptop, carrier: CarrierKind): Promise<Way> {
  const port = SOCKS_PORTS[carrier]
  const args = [await installedKt(), 'up', '--image', laptop.image, '--socks', String(port), '--carrier', carrier]
  const child = laptop.spawn(process.execPath, args, { KUBECONFIG: laptop.kubeconfig })
  await waitForLine(child, READY_MS, line => (line.includes('All looks good') ? true : undefined))
  const { serviceAddress } = laptop.traffic
  const numbers: Partial<Record<Port, number>> = { traffic: TRAFFIC_PORT, http: 80 }
  return {
    name: `kt up --socks${carrier === 'ssh' ? ' --carrier ssh' : ''}`,
    target: wanted => {
      const number = numbers[wanted]
      return number === undefined
        ? undefined
        : { host: serviceAddress, port: number, socks: { host: '127.0.0.1', port } }
    },
    generator: laptop.generator,
    pids: [child.pid!],
    close: async () => {
      await end(child, 'SIGINT')
    }
  }
}
