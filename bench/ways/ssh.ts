// `ssh -D` and `sshuttle`: what people do today with an ssh server in a pod behind `kubectl port-forward`.
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { run } from '../../test/cluster/run.ts'
import type { Testbed } from '../harness/testbed.ts'
import { HTTP_PORT, TRAFFIC_PORT } from '../traffic/ports.ts'
import { SSH_PORT, type SshServer, sshServer } from './ssh-server.ts'
import { end, type Port, type Way, waitForLine } from './way.ts'

const READY_MS = 30_000
/** Its name in the results. */
export const SSHUTTLE = 'sshuttle'
const SOCKS_PORT = 1080
const PORTS: Partial<Record<Port, number>> = { traffic: TRAFFIC_PORT, http: HTTP_PORT }

/** A SOCKS5 proxy: programs must know of it. Names and addresses are the pod's. */
export async function openSsh(bed: Testbed, kubeconfig = bed.kubeconfig): Promise<Way> {
  const server = await sshServer(bed)
  const forward = await forwardSsh(bed, server, kubeconfig)
  const args = [
    '-v',
    '-N',
    '-D',
    `127.0.0.1:${SOCKS_PORT}`,
    ...sshArgs(server),
    '-p',
    String(forward.port),
    'root@127.0.0.1'
  ]
  const child = bed.spawn('ssh', args)
  await waitForLine(child, READY_MS, line => (line.includes('Entering interactive session') ? true : undefined))
  return way('ssh -D', bed, server, [forward.child, child], port => ({
    host: bed.traffic.podAddress,
    port,
    socks: { host: '127.0.0.1', port: SOCKS_PORT }
  }))
}

/** Transparent, by NAT rules on the laptop. It takes the pod's address only, so that it is not in kt's way. */
export async function openSshuttle(bed: Testbed, kubeconfig = bed.kubeconfig): Promise<Way> {
  const server = await sshServer(bed)
  const forward = await forwardSsh(bed, server, kubeconfig)
  const { podAddress } = bed.traffic
  // The rules act on packets that have a route; on a usual laptop the default route is one.
  const { laptop, laptopGateway } = bed.settings
  await run('ip', ['-n', laptop, 'route', 'replace', podAddress, 'via', laptopGateway])
  const ssh = ['ssh', ...sshArgs(server), '-p', String(forward.port)].join(' ')
  const args = [
    '-m',
    'sshuttle',
    '-v',
    '--method',
    'nat',
    '--disable-ipv6',
    '-e',
    ssh,
    '-r',
    'root@127.0.0.1',
    `${podAddress}/32`
  ]
  const child = bed.spawn('python3', args, { PYTHONPATH: join(server.packages, 'usr/lib/python3/dist-packages') })
  await waitForLine(child, READY_MS, line => (line.includes('Connected to server') ? true : undefined))
  const opened = way(SSHUTTLE, bed, server, [forward.child, child], port => ({ host: podAddress, port }))
  return {
    ...opened,
    close: async () => {
      await opened.close()
      await run('ip', ['-n', laptop, 'route', 'del', podAddress])
    }
  }
}

function way(
  name: string,
  bed: Testbed,
  server: SshServer,
  children: ChildProcess[],
  target: (port: number) => ReturnType<Way['target']>
): Way {
  return {
    name,
    target: port => {
      const number = PORTS[port]
      return number === undefined ? undefined : target(number)
    },
    generator: bed.generator,
    pids: children.map(child => child.pid!),
    agent: server.uid,
    close: async () => {
      for (const child of children.toReversed()) await end(child)
    }
  }
}

async function forwardSsh(
  bed: Testbed,
  server: SshServer,
  kubeconfig: string
): Promise<{ child: ChildProcess; port: number }> {
  const args = ['-n', server.namespace, 'port-forward', `pod/${server.pod}`, `:${SSH_PORT}`]
  const child = bed.spawn('kubectl', args, { KUBECONFIG: kubeconfig })
  const port = await waitForLine(child, READY_MS, line => /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1])
  return { child, port: Number(port) }
}

function sshArgs(server: SshServer): string[] {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes', 'Compression=no']
  return ['-F', 'none', '-i', server.key, ...options.flatMap(option => ['-o', option])]
}
