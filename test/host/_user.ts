// Runs as a user without rights on a laptop in a namespace of its own: what lib/host/namespace-linux.ts does there, for the tests to call.
import { execFileSync, spawnSync } from 'node:child_process'
import { Namespace, namespaceObstacle } from '../../lib/host/namespace-linux.ts'
import { pointNamespace } from '../../lib/host/namespace-resolver.ts'
import { addRoutes, configureDevice } from '../../lib/host/routes-linux.ts'
import type { Device } from '../../lib/tun/device.ts'
import { openTun } from '../../lib/tun/linux.ts'
import { serveCalls } from '../_support/netns.ts'

let namespace: Namespace | undefined
let device: Device | undefined
let unwatch = (): void => {}
let upstreams: string[] = []
let packets = 0

async function open(): Promise<number> {
  namespace = await Namespace.open()
  device = await openTun({ name: 'kt0', from: namespace.tun })
  const setup = { addresses: ['198.18.0.1/32', 'fd6b:7400::1/128'], mtu: device.mtu, txQueueLength: 100 }
  await configureDevice('kt0', setup, namespace)
  await addRoutes('kt0', ['0.0.0.0/0', '::/0'], namespace)
  device.start(
    batch => {
      packets += batch.count
    },
    () => {}
  )
  return namespace.tun.pid
}

/** Run a shell script inside, as `kt shell -- sh -c SCRIPT` would. */
function inside(script: string): { code: number | null; said: string } {
  const [program = '', ...args] = namespace?.entrance ?? []
  const { status, stdout, stderr } = spawnSync(program, [...args, 'sh', '-c', script], { encoding: 'utf8' })
  return { code: status, said: stdout + stderr }
}

serveCalls({
  open,
  /** The code and hint of the error with which it cannot be opened. */
  refused: async () => {
    try {
      await open()
      return undefined
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint: string }
      return { code, message, hint }
    }
  },
  obstacle: () => namespaceObstacle(),
  point: async () => {
    if (namespace === undefined) throw new Error('open first')
    unwatch = await pointNamespace({
      namespace,
      ours: { server: '198.18.0.2', search: ['demo.svc.cluster.local'] },
      onUpstreams: found => {
        upstreams = found
      },
      note: line => process.stderr.write(`${line}\n`)
    })
    return upstreams
  },
  upstreams: () => upstreams,
  packets: () => packets,
  inside,
  outside: (script: string) => execFileSync('sh', ['-c', script], { encoding: 'utf8' }),
  close: async () => {
    unwatch()
    await device?.close()
    await namespace?.close()
  }
})
