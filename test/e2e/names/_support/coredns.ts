// The cluster's DNS itself: what it is asked, and taking it away for a while.
import { kubectl } from '../../_support/kubectl.ts'

const NAMESPACE = ['-n', 'kube-system']
const WAIT = '--timeout=120s'

async function restart(): Promise<void> {
  await kubectl([...NAMESPACE, 'rollout', 'restart', 'deployment/coredns'])
  await kubectl([...NAMESPACE, 'rollout', 'status', 'deployment/coredns', WAIT], { timeoutMs: 130_000 })
}

/** Have each question logged; `questions` are those since then, as `name TYPE`; `stop` puts the configuration back. */
export async function watchCoreDns(): Promise<{ questions(): Promise<string[]>; stop(): Promise<void> }> {
  const before = JSON.parse(await kubectl([...NAMESPACE, 'get', 'configmap', 'coredns', '-o', 'json'])) as {
    data: { Corefile: string }
  }
  const set = async (Corefile: string): Promise<void> => {
    await kubectl([...NAMESPACE, 'patch', 'configmap', 'coredns', '-p', JSON.stringify({ data: { Corefile } })])
    await restart()
  }
  await set(before.data.Corefile.replace('errors\n', 'errors\n    log\n'))
  return {
    async questions() {
      const log = await kubectl([...NAMESPACE, 'logs', '-l', 'k8s-app=kube-dns', '--tail=-1'])
      // [INFO] 10.244.1.5:1234 - 4711 "A IN nginx.demo.svc.cluster.local. udp 50 false 512" NOERROR …
      return [...log.matchAll(/"(\S+) IN (\S+?)\.? /g)].map(([, type, name]) => `${name} ${type}`)
    },
    stop: () => set(before.data.Corefile)
  }
}

/** Take the cluster's DNS away; the result brings it back. */
export async function stopCoreDns(): Promise<() => Promise<void>> {
  const scale = (replicas: number): Promise<string> =>
    kubectl([...NAMESPACE, 'scale', 'deployment/coredns', `--replicas=${replicas}`])
  await scale(0)
  await kubectl([...NAMESPACE, 'wait', '--for=delete', 'pod', '-l', 'k8s-app=kube-dns', WAIT], { timeoutMs: 130_000 })
  return async () => {
    await scale(1)
    await kubectl([...NAMESPACE, 'rollout', 'status', 'deployment/coredns', WAIT], { timeoutMs: 130_000 })
  }
}
