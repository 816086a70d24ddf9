// @kubernetes/client-node's PortForward: what a program in Node gets without writing anything.
import { fileURLToPath } from 'node:url'
import { HTTP_PORT, TRAFFIC_PORT } from '../traffic/ports.ts'
import { end, type Laptop, type Way, waitForLine } from './way.ts'

const PROGRAM = fileURLToPath(new URL('client-node-forward.ts', import.meta.url))
const READY_MS = 20_000

export async function openClientNode(laptop: Laptop): Promise<Way> {
  const { namespace, name } = laptop.traffic
  const start = async (port: number) => {
    const child = laptop.spawn(process.execPath, [PROGRAM, namespace, name, String(port)])
    const local = await waitForLine(child, READY_MS, line => /^port (\d+)/.exec(line)?.[1])
    return { child, local: Number(local) }
  }
  const [traffic, http] = [await start(TRAFFIC_PORT), await start(HTTP_PORT)]
  return {
    name: "client-node's PortForward",
    target: port => (port === 'udp' ? undefined : { host: '127.0.0.1', port: { traffic, http }[port].local }),
    generator: laptop.generator,
    pids: [traffic.child.pid!, http.child.pid!],
    close: async () => {
      await Promise.all([end(traffic.child), end(http.child)])
    }
  }
}
