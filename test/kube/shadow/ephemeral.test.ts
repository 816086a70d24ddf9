// lib/kube/shadow/ephemeral.ts: where a container of ours may go, and what it carries.
import { spawnSync } from 'node:child_process'
import test from 'ava'
import type { Pod } from '../../../lib/kube/api/client.ts'
import { agentSource } from '../../../lib/kube/shadow/agent-source.ts'
import { demandRoom, ephemeralContainer } from '../../../lib/kube/shadow/ephemeral.ts'
import { podPorts } from '../../../lib/kube/traffic/ports.ts'

const RUNNING: Pod = { metadata: { name: 'web-0' }, status: { phase: 'Running' } }
const port = (number: number) => [{ port: number, network: 'tcp', name: '', local: undefined }] as const
const sysctls = [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '80' }]

test('a pod that runs has room at a free port', t => {
  t.notThrows(() => demandRoom(RUNNING, port(8080)))
  t.notThrows(() => demandRoom({ ...RUNNING, spec: { containers: [], securityContext: { sysctls } } }, port(80)))
})

for (const [what, pod, number, reason] of [
  ['is pending', { ...RUNNING, status: { phase: 'Pending' } }, 8080, /it does not run/],
  ['ends', { ...RUNNING, metadata: { name: 'web-0', deletionTimestamp: '2026-01-01' } }, 8080, /it does not run/],
  ["is kt's", { ...RUNNING, metadata: { name: 'x', labels: { 'control-by': 'kt' } } }, 8080, /one of kt's own/],
  ['is in the node', { ...RUNNING, spec: { containers: [], hostNetwork: true } }, 8080, /network of its node/],
  ['has no right to low ports', RUNNING, 80, /cannot listen at port 80$/],
  [
    'has a few',
    { ...RUNNING, spec: { containers: [], securityContext: { sysctls } } },
    79,
    /cannot listen at port 79$/
  ],
  [
    'is full of ended containers',
    {
      ...RUNNING,
      spec: {
        containers: [],
        ephemeralContainers: Array.from({ length: 16 }, (_, i) => ({ name: `kt-exchange-${i}` }))
      }
    },
    8080,
    /holds 16 ended containers/
  ]
] as const) {
  test(`no room in a pod that ${what}`, t => {
    const error = t.throws(() => demandRoom(pod as Pod, port(number)), { code: 'KT_USAGE' })
    t.regex(error?.message ?? '', reason)
  })
}

test('the agent travels in the environment, within what one value may have, and starts from there', async t => {
  const config = {
    originals: '',
    ports: [{ port: 1, network: 'udp', to: 'laptop', original: 1, fallback: false }]
  } as const
  const container = ephemeralContainer({
    image: 'node:24',
    agent: await agentSource(),
    publicKey: 'no key',
    config: { ...config, ports: [...config.ports] },
    sessionPort: 20_000,
    orphanSeconds: 30
  })
  for (const { value = '' } of container.env ?? []) t.true(value.length < 131_072)
  const env = Object.fromEntries((container.env ?? []).map(({ name, value = '' }) => [name, value]))
  const [, ...args] = container.command ?? []
  const { stdout, status } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  t.is(status, 1)
  t.is(stdout, 'KT_PUBLIC_KEY holds no public key\n')
})

test('ports of a pod: any number, or a declared name; else what it declares', t => {
  const pod: Pod = {
    metadata: { name: 'web-0' },
    spec: {
      containers: [
        {
          name: 'web',
          ports: [
            { name: 'http', containerPort: 8080 },
            { containerPort: 53, protocol: 'UDP' }
          ]
        }
      ]
    }
  }
  const expose = (remote: string) => [{ host: '127.0.0.1', port: 3000, remote, network: 'tcp' as const }]
  t.like(podPorts(pod, expose('http'))[0], { port: 8080, network: 'tcp' })
  t.like(podPorts(pod, expose('9000'))[0], { port: 9000, network: 'tcp' })
  t.throws(() => podPorts(pod, expose('grpc')), { message: /no port named "grpc"; it declares: http 8080, 53\/udp$/ })
  t.throws(() => podPorts(pod, []), { message: /--expose is missing; pod web-0: it declares: http 8080/ })
})
