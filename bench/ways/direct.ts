// The direct path: from the node to the pod, without any relay. What the others can at best approach.
import type { Testbed } from '../harness/testbed.ts'
import { HTTP_PORT, TRAFFIC_PORT, UDP_PORT } from '../traffic/ports.ts'
import type { Way } from './way.ts'

const PORTS = { traffic: TRAFFIC_PORT, http: HTTP_PORT, udp: UDP_PORT }

export async function openDirect({ traffic, nodeGenerator }: Testbed): Promise<Way> {
  return {
    name: 'direct, inside the cluster',
    target: port => ({ host: traffic.podAddress, port: PORTS[port] }),
    generator: nodeGenerator,
    pids: [],
    close: async () => {}
  }
}
