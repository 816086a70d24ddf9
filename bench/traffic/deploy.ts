// Puts the traffic server into a cluster and finds out where it is.
import type { TrafficServer } from '../ways/way.ts'
import { trafficObjects } from './pod.ts'

/** kubectl with the cluster's kubeconfig: arguments and standard input in, standard output out. */
export type Kubectl = (args: string[], input?: string) => Promise<string>

/** What is read of a pod. */
export interface PodObject {
  metadata: { name: string; uid: string }
  status: { podIP: string }
}

/** Fresh pod, ConfigMap and Service `name`; resolves when the pod is ready. */
export async function deployTraffic(
  kubectl: Kubectl,
  where: { namespace: string; name: string; image: string }
): Promise<TrafficServer> {
  const { namespace, name, image } = where
  const ask = (...args: string[]): Promise<string> => kubectl(['-n', namespace, ...args])
  await ask('delete', 'pod', name, '--ignore-not-found', '--now')
  await kubectl(['apply', '-f', '-'], await trafficObjects(name, namespace, image))
  await ask('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=180s')
  const pod = JSON.parse(await ask('get', 'pod', name, '-o', 'json')) as PodObject
  const service = JSON.parse(await ask('get', 'service', name, '-o', 'json')) as { spec: { clusterIP: string } }
  return {
    namespace,
    name,
    podAddress: pod.status.podIP,
    serviceAddress: service.spec.clusterIP,
    uid: pod.metadata.uid
  }
}

/** Remove it; does not wait. */
export async function removeTraffic(kubectl: Kubectl, { namespace, name }: TrafficServer): Promise<void> {
  await kubectl(['-n', namespace, 'delete', 'pod,service,configmap', name, '--ignore-not-found', '--wait=false'])
}
