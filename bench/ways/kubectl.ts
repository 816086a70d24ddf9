// `kubectl port-forward`, the baseline: as it comes (a WebSocket since 1.31), and with SPDY.
import { HTTP_PORT, TRAFFIC_PORT } from '../traffic/ports.ts'
import { end, type Laptop, type Way, waitForLine } from './way.ts'

const READY_MS = 20_000

/** Through another kubeconfig, for example one that names a proxy. */
export function openKubectl(laptop: Laptop, kubeconfig = laptop.kubeconfig): Promise<Way> {
  return open(laptop, 'kubectl port-forward', { KUBECONFIG: kubeconfig })
}

export function openKubectlSpdy(laptop: Laptop): Promise<Way> {
  return open(laptop, 'kubectl port-forward, SPDY', { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' })
}

async function open(laptop: Laptop, name: string, env: Record<string, string>): Promise<Way> {
  const { namespace, name: pod } = laptop.traffic
  const args = ['-n', namespace, 'port-forward', `pod/${pod}`, `:${TRAFFIC_PORT}`, `:${HTTP_PORT}`]
  const child = laptop.spawn('kubectl', args, env)
  const ports = new Map<number, number>()
  await waitForLine(child, READY_MS, line => {
    const [, local, remote] = /^Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)/.exec(line) ?? []
    if (local !== undefined) ports.set(Number(remote), Number(local))
    return ports.size === 2 ? true : undefined
  })
  return {
    name,
    target: port =>
      port === 'udp' ? undefined : { host: '127.0.0.1', port: ports.get(port === 'http' ? HTTP_PORT : TRAFFIC_PORT)! },
    generator: laptop.generator,
    pids: [child.pid!],
    close: async () => {
      await end(child)
    }
  }
}
