// `kt up` on the laptop: programs connect to the Service's own address.
import { join } from 'node:path'
import { TRAFFIC_PORT, UDP_PORT } from '../traffic/ports.ts'
import { end, type Laptop, type Way, waitForLine } from './way.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/kt.ts')
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
  const args = [PROGRAM, 'up', '--image', laptop.image, ...(options.args ?? [])]
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
