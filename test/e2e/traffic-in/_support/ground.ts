// A namespace that enforces Pod Security `restricted`, with services of each kind, callers inside, and a user with a Role. Each test
// file has its own, with a KT_HOME, a local program and ports of its own: files run side by side.
import { once } from 'node:events'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { imageArguments, KT, type RunningKt, kt as runKt, startCommand } from '../../_support/kt.ts'
import { kubectl } from '../../_support/kubectl.ts'
import { type Finished, type LaptopOptions, spawnOnLaptop } from '../../_support/laptop.ts'
import { makeUser, type Rule, type User } from '../../up/_support/user.ts'

const FOLDER = join(import.meta.dirname, '..')
const FILE = basename(fileURLToPath(test.meta.file))
/** Of this test file. */
export const NAMESPACE = `traffic-in-${FILE.replace('.test.ts', '')}`
/** What kt keeps for this test file: its `kt status`, `kt down` and `kt clean` see no other's. */
export const HOME: LaptopOptions = { env: { KT_HOME: mkdtempSync(join(tmpdir(), `kt-${NAMESPACE}-`)) } }
/** What the README asks for; the user of these tests has nothing else. */
export const RULES: readonly Rule[] = [
  { resource: 'pods', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'configmaps', verbs: ['create', 'delete', 'list'] },
  { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { group: 'apps', resource: 'deployments', verbs: ['get'] }
]
/** The first of the ports on the laptop that this test file has for itself; below what the kernel gives to clients. */
const FIRST_PORT = 20_000 + 100 * readdirSync(FOLDER).indexOf(FILE)
/** Ports of the local program: HTTP, TCP, UDP. */
export const [HTTP, TCP, UDP] = [FIRST_PORT, FIRST_PORT + 1, FIRST_PORT + 2]
/** A port for what a test itself starts. */
export const OWN_PORT = FIRST_PORT + 10

let user: User | undefined
let stopLocal = (): void => {}

/** What a test file may have: `shop` with three ports, `stock` of a StatefulSet, `cart` with a headless sister. */
type Part = 'shop' | 'stock' | 'cart'

/** Make the ground with these services; takes about 5 s. */
export async function prepare(...parts: Part[]): Promise<void> {
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait', '--timeout=50s'])
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: RESTRICTED } }
  await applyAll([namespace, workload('Deployment', 'caller', 1), ...parts.flatMap(part => PARTS[part]())])
  user = await makeUser('developer', NAMESPACE, join(HOME.env!.KT_HOME!, 'kubeconfig'))
  await user.allow(RULES)
  stopLocal = await startLocal()
  await podsReady()
}

/** Every workload of the namespace has all of its pods, and they are ready. */
export async function podsReady(): Promise<void> {
  const names = await kubectl(['-n', NAMESPACE, 'get', 'deployments,statefulsets,daemonsets', '-o', 'name'])
  for (const name of names.trim().split('\n'))
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', name, '--timeout=90s'], { timeoutMs: 100_000 })
}

/** Remove all of it; the namespace goes by itself. */
export async function clear(): Promise<void> {
  stopLocal()
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false'])
}

/** The kubeconfig of that user. */
export function userFile(): string {
  return user?.file ?? ''
}

/** Give the user these rights in place of his own, until called again. */
export async function allow(rules: readonly Rule[] = RULES): Promise<void> {
  await user?.allow(rules)
}

export async function applyAll(items: object[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
}

/** `kt` as that user, to its end. */
export async function kt(...args: string[]): Promise<Finished> {
  return runKt([...args, '--kubeconfig', userFile()], HOME)
}

/** A `kt exchange` that is ready. */
export async function exchange(target: string, expose: string, ...args: string[]): Promise<RunningKt> {
  const name = target.replace(/.*\//, '')
  const flags = ['--expose', expose, '--kubeconfig', userFile(), ...args]
  const line = `Now all request to service '${name}' will be redirected to local`
  return startCommand(['exchange', target, ...flags], line, HOME)
}

/** Start `kt exchange` and kill it after `ms`, whatever it is doing then. */
export async function killedExchange(service: string, ms: number): Promise<void> {
  const flags = ['exchange', service, '--expose', `${HTTP}:80`, '--kubeconfig', userFile()]
  const child = spawnOnLaptop(process.execPath, [KT, ...flags, ...imageArguments()], HOME)
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  await once(child, 'close')
  clearTimeout(timer)
}

/** A `kt preview` that is ready. */
export async function preview(name: string, expose: string, ...args: string[]): Promise<RunningKt> {
  const line = `Now you can access your local service in cluster by name '${name}'`
  return startCommand(['preview', name, '--expose', expose, '--kubeconfig', userFile(), ...args], line, HOME)
}

/** JavaScript in the pod of callers; what it prints. */
export async function inPod(script: string): Promise<string> {
  return kubectl(['-n', NAMESPACE, 'exec', '-i', 'deployment/caller', '--', 'node', '-'], { input: script })
}

async function startLocal(): Promise<() => void> {
  const file = join(import.meta.dirname, '../peers/local.peer.ts')
  const child = spawnOnLaptop(process.execPath, [file, ...[HTTP, TCP, UDP].map(String)])
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the local program has ended')))
  ])
  return () => child.kill('SIGKILL')
}

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const HTTP_PORT = { name: 'http', port: 80, targetPort: 'web' }

export function service(name: string, ports: object[], spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { app: name }, ports, ...spec }
  }
}

const PARTS: Record<Part, () => object[]> = {
  shop: () => [
    workload('Deployment', 'shop', 2),
    service('shop', [HTTP_PORT, { name: 'tcp', port: 7000 }, { name: 'udp', port: 7000, protocol: 'UDP' }])
  ],
  stock: () => [workload('StatefulSet', 'stock', 2), service('stock', [HTTP_PORT])],
  cart: () => [
    workload('Deployment', 'cart', 2),
    service('cart', [HTTP_PORT]),
    service('cart-headless', [{ name: 'http', port: 8080 }], { clusterIP: 'None', selector: { app: 'cart' } })
  ]
}

type Kind = 'Deployment' | 'StatefulSet' | 'ReplicaSet' | 'DaemonSet'

export function workload(kind: Kind, name: string, replicas: number): object {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas }),
      ...(kind === 'StatefulSet' ? { serviceName: name, podManagementPolicy: 'Parallel' } : {}),
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: pod() }
    }
  }
}

/** A pod that the namespace admits, with the echo program at HTTP 8080 and at TCP and UDP 7000. */
export function pod(): object {
  return {
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'echo',
        image: process.env.KT_TEST_IMAGE ?? 'kt.local/node:20',
        imagePullPolicy: 'Never',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        ports: [{ containerPort: 8080, name: 'web' }],
        // Once ready it stays so, however busy the machine is.
        readinessProbe: {
          httpGet: { path: '/', port: 8080 },
          periodSeconds: 1,
          timeoutSeconds: 10,
          failureThreshold: 60
        }
      }
    ]
  }
}
