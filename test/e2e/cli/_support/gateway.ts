// Starts the badly kept gateway on the laptop, and writes a kubeconfig that leads there.
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectl } from '../../_support/kubectl.ts'
import { spawnOnLaptop } from '../../_support/laptop.ts'
import { writeKubeconfig } from '../../up/_support/user.ts'

const PEER = join(import.meta.dirname, '../peers/gateway.peer.ts')

interface Config {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[]
}

/** The kubeconfig, and what ends the gateway. */
export async function startGateway(): Promise<{ file: string; stop(): void }> {
  const view = ['config', 'view', '--minify', '--raw', '--flatten', '-o', 'json']
  const { clusters, users } = JSON.parse(await kubectl(view)) as Config
  const directory = mkdtempSync(join(tmpdir(), 'kt-gateway-'))
  const way = join(directory, 'way.json')
  const cluster = clusters[0]?.cluster
  const user = users[0]?.user
  const contents = {
    server: cluster?.server,
    ca: cluster?.['certificate-authority-data'],
    cert: user?.['client-certificate-data'],
    key: user?.['client-key-data']
  }
  writeFileSync(way, JSON.stringify(contents), { mode: 0o600 })
  const child = spawnOnLaptop(process.execPath, [PEER, way])
  const [port] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the gateway has ended')))
  ])) as [Buffer]
  const file = join(directory, 'kubeconfig')
  await writeKubeconfig(file, {
    user: 'gateway',
    namespace: 'demo',
    credentials: {},
    server: `http://127.0.0.1:${String(port).trim()}`
  })
  return { file, stop: () => child.kill('SIGKILL') }
}
