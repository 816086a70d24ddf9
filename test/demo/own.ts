// A cluster of one's own: a small server in the namespace kt-demo, and this computer as the laptop.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Generator } from '../../bench/harness/generator.ts'
import { deployTraffic } from '../../bench/traffic/deploy.ts'
import { HTTP_PORT } from '../../bench/traffic/ports.ts'
import { end, type Laptop, type TrafficServer } from '../../bench/ways/way.ts'
import { run, succeeds } from '../cluster/run.ts'
import { hosts } from './checks.ts'
import { type Ground, type PublicName, Unfit } from './ground.ts'

const NAMESPACE = 'kt-demo'
const SERVICE = 'hello'
/** Reserved by RFC 2606 and served all the same: any laptop with a network resolves it. */
const PUBLIC_NAME = 'example.com'
const PROGRAMS = ['kubectl', 'curl', 'ip', 'getent']

export function ownGround(file: string, image: string): Ground {
  const kubeconfig = resolve(file)
  const env = { ...process.env, KUBECONFIG: kubeconfig }
  let laptop: Laptop | undefined
  let publicName: PublicName | undefined
  let domain = 'cluster.local'
  let begun = false
  const started: ChildProcess[] = []
  const ground: Ground = {
    open: async () => {
      await requireComputer(kubeconfig)
      console.log(`The cluster of ${file}: a small server in the namespace ${NAMESPACE}`)
      await createNamespace(ground)
      begun = true
      const traffic = await deployTraffic(ground.kubectl, { namespace: NAMESPACE, name: SERVICE, image })
      domain = await clusterDomain(ground)
      publicName = await resolvable(ground)
      laptop = here({ kubeconfig, env, image, traffic, started })
    },
    close: async () => {
      laptop?.generator.close()
      await Promise.all(started.map(child => end(child)))
      if (!begun) return
      await ground.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found'])
      console.log(`The namespace ${NAMESPACE} is removed`)
    },
    get laptop() {
      return laptop!
    },
    get web() {
      const { serviceAddress, podAddress } = laptop!.traffic
      const names = { name: SERVICE, namespace: NAMESPACE, domain }
      return { ...names, serviceAddress, podAddress, podPort: HTTP_PORT, says: /^kt traffic server/ }
    },
    get publicName() {
      return publicName
    },
    kubectl: (args, input) => run('kubectl', args, { env, ...(input !== undefined && { input }) }),
    run: (program, args) => run(program, args, { env })
  }
  return ground
}

/** This computer; what is started is added to `started`. */
function here(of: {
  kubeconfig: string
  env: NodeJS.ProcessEnv
  image: string
  traffic: TrafficServer
  started: ChildProcess[]
}): Laptop {
  const { env, started, ...rest } = of
  return {
    ...rest,
    generator: new Generator(args => spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })),
    spawn: (program, args, more) => {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, ...more } })
      started.push(child)
      return child
    }
  }
}

async function requireComputer(kubeconfig: string): Promise<void> {
  if (!existsSync(kubeconfig)) throw new Unfit(`There is no kubeconfig ${kubeconfig}`)
  if (process.platform !== 'linux') throw new Unfit(`kt up runs on Linux for now; this is ${process.platform}`)
  if (process.getuid?.() !== 0) throw new Unfit('kt up changes routes and the resolver: sudo npm run demo -- …')
  for (const program of PROGRAMS) {
    if (!(await succeeds('which', [program]))) throw new Unfit(`The demo needs ${program} in PATH`)
  }
}

/** A namespace of that name which is not ours must not be removed at the end. */
async function createNamespace(ground: Ground): Promise<void> {
  const exists = await ground.kubectl(['get', 'namespace', NAMESPACE, '--ignore-not-found', '-o', 'name'])
  if (exists !== '') throw new Unfit(`There is a namespace ${NAMESPACE} already: kubectl delete namespace ${NAMESPACE}`)
  await ground.kubectl(['create', 'namespace', NAMESPACE])
}

/** From the search list of a pod: `kt-demo.svc.DOMAIN svc.DOMAIN DOMAIN`. */
async function clusterDomain(ground: Ground): Promise<string> {
  const text = await ground.kubectl(['-n', NAMESPACE, 'exec', SERVICE, '--', 'cat', '/etc/resolv.conf'])
  return /\ssvc\.(\S+)/.exec(text)?.[1] ?? 'cluster.local'
}

/** The public name with the addresses it has before kt runs, if this computer resolves public names at all. */
async function resolvable(ground: Ground): Promise<PublicName | undefined> {
  const addresses = hosts(await ground.run('getent', ['ahosts', PUBLIC_NAME]).catch(() => ''))
  return addresses.length === 0 ? undefined : { name: PUBLIC_NAME, addresses }
}
