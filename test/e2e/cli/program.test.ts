// kt up -- CMD, kt env and --env-from, against a workload with every kind of variable.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { imageArguments, KT, kt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'

const NAMESPACE = 'kt-program'
const UP = ['up', '-n', 'demo', ...imageArguments()]
const HARD = 'a "b" \'c\' $HOME `d` \\e\nsecond line #x'

test.before(async () => {
  await kt(['down'])
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait'])
  await kubectl(['create', 'namespace', NAMESPACE])
  const items = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', namespace: NAMESPACE },
      data: { COLOUR: 'blue', SIZE: 'xl' }
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: NAMESPACE }, stringData: { PASSWORD: HARD } },
    pod()
  ]
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  await kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod/app', '--timeout=60s'])
})

test.after.always(async () => {
  await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false'])
})

function pod(): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: NAMESPACE, labels: { tier: 'web' }, annotations: { note: 'yes' } },
    spec: {
      terminationGracePeriodSeconds: 0,
      enableServiceLinks: false,
      containers: [
        {
          name: 'main',
          image: process.env.KT_TEST_IMAGE ?? 'kt.local/node:20',
          command: ['sleep', '3600'],
          resources: { requests: { cpu: '50m' }, limits: { cpu: '1500m', memory: '64Mi' } },
          envFrom: [
            { configMapRef: { name: 'c' } },
            { prefix: 'S_', secretRef: { name: 's' } },
            { configMapRef: { name: 'missing', optional: true } }
          ],
          env: [
            { name: 'SIZE', value: 'own' },
            { name: 'GREETING', value: '$(COLOUR)-$(SIZE)-$(UNKNOWN)-$$(COLOUR)' },
            { name: 'ONE', valueFrom: { secretKeyRef: { name: 's', key: 'PASSWORD' } } },
            { name: 'GONE', valueFrom: { configMapKeyRef: { name: 'c', key: 'none', optional: true } } },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'TIER', valueFrom: { fieldRef: { fieldPath: "metadata.labels['tier']" } } },
            { name: 'NOTE', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['note']" } } },
            { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
            { name: 'MILLIS', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
            { name: 'MEBIS', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
            { name: 'LATER', value: '$(CPUS)/$(POD)' }
          ]
        }
      ]
    }
  }
}

test.serial('kt env is what the container itself sees, in every form', async t => {
  const script = 'console.log(JSON.stringify(process.env))'
  const inside = JSON.parse(await kubectl(['-n', NAMESPACE, 'exec', 'app', '--', 'node', '-e', script])) as Record<
    string,
    string
  >
  const { stdout, code } = await kt(['env', 'pod/app', '-n', NAMESPACE, '--format', 'json'])
  t.is(code, 0)
  const found = JSON.parse(stdout) as Record<string, string>
  t.true(Object.keys(found).length >= 13)
  for (const [name, value] of Object.entries(found)) t.is(value, inside[name] ?? 'not set in the pod', name)
  t.is(found.GREETING, 'blue-own-$(UNKNOWN)-$(COLOUR)')
  t.false('GONE' in found)

  const sh = await kt(['env', 'pod/app', '-n', NAMESPACE, '--format', 'sh'])
  const print = `node -e 'console.log(JSON.stringify(process.env))'`
  const shell = await laptop('sh', ['-c', `${sh.stdout}\n${print}`])
  t.is((JSON.parse(shell.stdout) as Record<string, string>).S_PASSWORD, HARD)
  t.regex((await kt(['env', 'pod/app', '-n', NAMESPACE])).stdout, /^COLOUR=blue$/m)
})

test.serial('kt env: what is missing is said', async t => {
  const none = await kt(['env', 'pod/none', '-n', NAMESPACE])
  t.is(none.code, 4)
  t.regex(none.stderr, /there is no pod "none"/)
  const container = await kt(['env', 'pod/app', '-n', NAMESPACE, '--container', 'x'])
  t.regex(container.stderr, /has no container "x"\n {4}it has: main/)
})

test.serial('kt up -- CMD: once connected, with the environment of a pod, its output alone, its exit code', async t => {
  const command = 'curl -sS -o /dev/null -w "%{http_code} " http://nginx && printf %s "$POD"; exit 7'
  const env = ['--env-from', 'pod/app', '-n', NAMESPACE]
  const { code, stdout, stderr } = await kt([
    'up',
    ...imageArguments(),
    ...env,
    '--',
    'sh',
    '-c',
    command.replace('http://nginx', 'http://nginx.demo')
  ])
  t.deepEqual([code, stdout], [7, '200 app'], stderr)
  t.regex(stderr, /All looks good/)
  t.regex(stderr, /Stopped, everything is as it was/)
  t.is((await kt(['status'])).code, 1)
})

test.serial('kt up -- CMD: not found is 127, and nothing stays', async t => {
  const { code, stderr } = await kt([...UP, '--', 'no-such-program'])
  t.is(code, 127)
  t.regex(stderr, /kt: no-such-program cannot be run: not found/)
  t.is((await kt(['up', '--env-from', 'web'])).code, 2)
})

test.serial('kt up -- CMD: signals go to CMD, and kt ends when it does', async t => {
  const script = `trap 'echo got it; exit 9' TERM; echo begun; while :; do sleep 0.1; done`
  const child = spawnOnLaptop(process.execPath, [KT, ...UP, '-q', '--', 'sh', '-c', script])
  const stdout = collect(child.stdout)
  const ended = once(child, 'exit')
  while (!stdout().includes('begun') && child.exitCode === null) await delay(50)
  child.kill('SIGTERM')
  t.deepEqual(await ended, [9, null])
  t.is(stdout(), 'begun\ngot it\n')
})
