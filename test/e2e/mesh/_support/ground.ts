// A namespace that enforces Pod Security `restricted`, two services, callers inside, and a user with a Role who has several laptops.
import { once } from 'node:events'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type RunningKt, kt as runKt, startCommand } from '../../_support/kt.ts'
import { kubectl } from '../../_support/kubectl.ts'
import { type Finished, spawnOnLaptop } from '../../_support/laptop.ts'
import { makeUser, type Rule, type User } from '../../up/_support/user.ts'

const FILE = basename(fileURLToPath(test.meta.file))
const FILES = readdirSync(join(import.meta.dirname, '..')).filter(name => name.endsWith('.test.ts'))
/** Test files run beside each other: each has a namespace, and ports on the laptop, of its own. */
export const NAMESPACE = `mesh-${FILE.replace('.test.ts', '')}`
const FIRST_PORT = 18_080 + 10 * FILES.indexOf(FILE)
/** What the README asks for; the user of these tests has nothing else. */
export const RULES: readonly Rule[] = [
  { resource: 'pods', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'configmaps', verbs: ['get', 'list', 'create', 'patch', 'delete'] },
  { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
  { group: 'apps', resource: 'deployments', verbs: ['get', 'create', 'patch', 'delete'] }
]
/** Local programs by name; each says it. */
export const PORTS = { blue: FIRST_PORT, green: FIRST_PORT + 1, red: FIRST_PORT + 2 }

const directory = mkdtempSync(join(tmpdir(), 'kt-mesh-'))
let user: User | undefined
let stopLocal = (): void => {}
const running = new Set<RunningKt>()

/** Make all of it; takes about 10 s. */
export async function prepare(): Promise<void> {
  await clear()
  await applyAll([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: RESTRICTED } },
    deployment('shop', 2),
    service('shop', [HTTP_PORT, { name: 'udp', port: 7000, protocol: 'UDP' }]),
    deployment('cart', 1),
    service('cart', [HTTP_PORT]),
    service('cart-headless', [{ name: 'http', port: 8080 }], { clusterIP: 'None', selector: { app: 'cart' } }),
    deployment('caller', 1)
  ])
  for (const name of ['shop', 'cart', 'caller'])
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=90s'], { timeoutMs: 100_000 })
  user = await makeUser('developer', NAMESPACE, join(directory, 'kubeconfig'))
  await user.allow(RULES)
  stopLocal = await startLocal()
}

/** Remove all of it. */
export async function clear(): Promise<void> {
  stopLocal()
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait', '--timeout=50s'])
}

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

/** What `kt status` says on the laptop of a color. */
export async function status(color: Color): Promise<string> {
  return (await runKt(['status'], { env: { KT_HOME: join(directory, color) } })).stdout
}

export type Color = keyof typeof PORTS

/** A `kt mesh` of a laptop of its own, ready: its version is its color. */
export async function mesh(service: string, color: Color, ...args: string[]): Promise<RunningKt> {
  const flags = ['--expose', `${PORTS[color]}:80`, '--versionMark', color, '--kubeconfig', user?.file ?? '', ...args]
  const env = { KT_HOME: join(directory, color) }
  const started = await startCommand(['mesh', service, ...flags], 'Now you can', { env })
  running.add(started)
  return started
}

/** End every `kt mesh` of a test that has failed before it could. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map(each => each.stop()))
  running.clear()
}

export const patch = (kind: string, name: string, body: object): Promise<string> =>
  kubectl(['-n', NAMESPACE, 'patch', kind, name, '--type=merge', '-p', JSON.stringify(body)])

async function startLocal(): Promise<() => void> {
  const file = join(import.meta.dirname, '../peers/local.peer.ts')
  const words = Object.entries(PORTS).map(([name, port]) => `${name}=${port}`)
  const child = spawnOnLaptop(process.execPath, [file, ...words])
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the local programs have ended')))
  ])
  return () => child.kill('SIGKILL')
}

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const HTTP_PORT = { name: 'http', port: 80, targetPort: 'web' }

function service(name: string, ports: object[], spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { app: name }, ports, ...spec }
  }
}

function deployment(name: string, replicas: number): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: pod() }
    }
  }
}

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
        // A busy machine must not change what the tests compare.
        readinessProbe: {
          httpGet: { path: '/', port: 8080 },
          periodSeconds: 1,
          timeoutSeconds: 5,
          failureThreshold: 10
        }
      }
    ]
  }
}
