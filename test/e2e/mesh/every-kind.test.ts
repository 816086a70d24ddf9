// kt mesh: every kind of request gets the same answer directly and through the router, from a pod, with real libraries.
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'
import { kubectl } from '../_support/kubectl.ts'
import { clear, endAll, mesh, NAMESPACE, pod, prepare } from './_support/ground.ts'

/** `KT_TEST_LARGE_BYTES=2147483648 KT_TEST_EVENTS=15000 KT_TEST_MESSAGES=10000` for the long run: 2 GiB, five minutes. */
const { KT_TEST_LARGE_BYTES = '33554432', KT_TEST_EVENTS = '50', KT_TEST_MESSAGES = '2000' } = process.env
/** Of the router, whatever goes through it. */
const MAX_MEMORY_BYTES = 128 * 2 ** 20
const NAME = 'kinds'
const PORTS = [
  { name: 'web', port: 80, targetPort: 'web' },
  { name: 'http', port: 8080 },
  { name: 'grpc', port: 9090 }
]

test.before(async () => {
  await prepare()
  await deploy()
})
test.after.always(clear)
test.afterEach.always(endAll)

test.serial('every kind of request: the same directly and through the router, in little memory', async t => {
  t.timeout(1_260_000) // the long run
  const blue = await mesh(NAME, 'blue')
  const direct = await kubectl(['-n', NAMESPACE, 'get', 'pod', NAME, '-o', 'jsonpath={.status.podIP}'])
  const environment = [
    `DIRECT=${direct}`,
    `THROUGH=${NAME}`,
    `LARGE_BYTES=${KT_TEST_LARGE_BYTES}`,
    `EVENTS=${KT_TEST_EVENTS}`,
    `MESSAGES=${KT_TEST_MESSAGES}`
  ]
  const command = ['exec', NAME, '--', 'env', ...environment, 'node', '/program/peer.mjs']
  const output = await kubectl(['-n', NAMESPACE, ...command], { timeoutMs: 1_200_000 })
  const rows = output
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { name: string; same: boolean; expected?: unknown; told?: unknown })
  t.true(rows.length > 35, String(rows.length))
  for (const { name, same, expected, told } of rows)
    t.true(same, `${name}\n${JSON.stringify(expected)}\n${JSON.stringify(told)}`)
  for (const bytes of await memoryOfRouters()) {
    t.log(`a router used ${Math.round(bytes / 2 ** 20)} MB at most`)
    t.true(bytes < MAX_MEMORY_BYTES, String(bytes))
  }
  t.is((await blue.stop()).code, 0)
})

/** The most that each process has had resident. */
async function memoryOfRouters(): Promise<number[]> {
  const args = ['-n', NAMESPACE, 'get', 'pods', '-l', 'kt-role=router', '-o', 'name']
  const names = (await kubectl(args)).split('\n').filter(Boolean)
  const texts = await Promise.all(
    names.map(name => kubectl(['-n', NAMESPACE, 'exec', name, '--', 'cat', '/proc/1/status']))
  )
  return texts.map(text => Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) * 1024)
}

async function deploy(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('peers/every-kind.peer.ts', import.meta.url))],
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    write: false
  })
  const metadata = { name: NAME, namespace: NAMESPACE, labels: { app: NAME } }
  const { containers, ...spec } = pod() as { containers: [object] }
  const container = {
    ...containers[0],
    command: ['node', '/program/peer.mjs'],
    ports: [{ containerPort: 8080, name: 'web' }],
    readinessProbe: { tcpSocket: { port: 9090 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'program', mountPath: '/program' }]
  }
  const volumes = [{ name: 'program', configMap: { name: NAME } }]
  const items = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'peer.mjs': outputFiles[0]!.text } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: NAME }, ports: PORTS } },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...spec, containers: [container], volumes } }
  ]
  // Not applied: the program is too long for the annotation in which that would be kept.
  await kubectl(['create', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  await kubectl(['-n', NAMESPACE, 'wait', `pod/${NAME}`, '--for=condition=Ready', '--timeout=60s'])
}
