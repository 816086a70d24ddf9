// A namespace that enforces Pod Security `restricted`, with services of each kind, callers inside, and a user with a Role.
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imageArguments, KT, type RunningKt, kt as runKt, startCommand } from '../../_support/kt.ts'
import { kubectl } from '../../_support/kubectl.ts'
import { type Finished, spawnOnLaptop } from '../../_support/laptop.ts'
import { makeUser, type Rule, type User } from '../../up/_support/user.ts'

export const NAMESPACE = 'traffic-in'
/** What the README asks for; the user of these tests has nothing else. */
export const RULES: readonly Rule[] = [
  { resource: 'pods', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'configmaps', verbs: ['create', 'delete', 'list'] },
  { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { group: 'apps', resource: 'deployments', verbs: ['get'] }
]
/** Ports of the local program: HTTP, TCP, UDP. */
export const [HTTP, TCP, UDP] = [18_080, 18_000, 18_053]

let user: User | undefined
let stopLocal = (): void => {}

/** Make all of it; takes about 10 s. */
export async function prepare(): Promise<void> {
  await clear()
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: RESTRICTED } }
  const items = [
    namespace,
    workload('Deployment', 'shop', 2),
    service('shop', [HTTP_PORT, { name: 'tcp', port: 7000 }, { name: 'udp', port: 7000, protocol: 'UDP' }]),
    workload('StatefulSet', 'stock', 2),
    service('stock', [HTTP_PORT]),
    workload('Deployment', 'cart', 2),
    service('cart', [HTTP_PORT]),
    service('cart-headless', [{ name: 'http', port: 8080 }], { clusterIP: 'None', selector: { app: 'cart' } }),
    workload('Deployment', 'caller', 1)
  ]
  await applyAll(items)
  for (const name of ['deployment/shop', 'statefulset/stock', 'deployment/cart', 'deployment/caller'])
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', name, '--timeout=90s'], { timeoutMs: 100_000 })
  user = await makeUser('developer', NAMESPACE, join(mkdtempSync(join(tmpdir(), 'kt-traffic-in-')), 'kubeconfig'))
  await user.allow(RULES)
  stopLocal = await startLocal()
}

/** Remove all of it. */
export async function clear(): Promise<void> {
  stopLocal()
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait', '--timeout=50s'])
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
  return runKt([...args, '--kubeconfig', user?.file ?? ''])
}

/** A `kt exchange` that is ready. */
export async function exchange(target: string, expose: string, ...args: string[]): Promise<RunningKt> {
  const name = target.replace(/.*\//, '')
  const flags = ['--expose', expose, '--kubeconfig', user?.file ?? '', ...args]
  return startCommand(
    ['exchange', target, ...flags],
    `Now all request to service '${name}' will be redirected to local`
  )
}

/** Start `kt exchange` and kill it after `ms`, whatever it is doing then. */
export async function killedExchange(service: string, ms: number): Promise<void> {
  const flags = ['exchange', service, '--expose', `${HTTP}:80`, '--kubeconfig', user?.file ?? '']
  const child = spawnOnLaptop(process.execPath, [KT, ...flags, ...imageArguments()])
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  await once(child, 'close')
  clearTimeout(timer)
}

/** A `kt preview` that is ready. */
export async function preview(name: string, expose: string, ...args: string[]): Promise<RunningKt> {
  const line = `Now you can access your local service in cluster by name '${name}'`
  return startCommand(['preview', name, '--expose', expose, '--kubeconfig', user?.file ?? '', ...args], line)
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
        readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 }
      }
    ]
  }
}
