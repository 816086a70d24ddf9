import test from 'ava'
import {
  configMapManifest,
  type Exposure,
  podManifest,
  type ShadowSpec,
  shadowName
} from '../../../lib/kube/shadow/shadow-manifest.ts'
import { agentPorts, type ExposeConfig } from '../../../lib/tunnel/expose.ts'

const SPEC: ShadowSpec = { image: 'node:24-alpine', agent: 'the agent', publicKey: 'the key' }

function exposure(port: number): Exposure {
  const config: ExposeConfig = {
    originals: 'web-kt-stuntman.demo.svc.cluster.local',
    ports: [
      { port, network: 'tcp', to: 'laptop', original: port, fallback: false },
      { port: 9053, network: 'udp', to: 'originals', original: 9053, fallback: false }
    ]
  }
  return {
    prefix: 'web-kt-exchange',
    role: 'shadow-exchange',
    labels: { app: 'web', 'kt-role': 'not this one' },
    annotations: { 'kt-config': 'x' },
    config,
    agentPorts: agentPorts(config),
    portNames: [{ name: 'http', port, network: 'tcp' }]
  }
}

test('the shadow of kt up: nobody comes to it, so it has no ports, no probe, no sysctl', t => {
  const { spec, metadata } = podManifest('kt-connect-shadow-abcde', SPEC)
  t.is(metadata?.labels?.['kt-role'], 'shadow-connect')
  t.deepEqual(Object.keys(spec!.securityContext!).sort(), ['runAsGroup', 'runAsNonRoot', 'runAsUser', 'seccompProfile'])
  const [container] = spec!.containers
  t.is(container!.ports, undefined)
  t.is(container!.readinessProbe, undefined)
  t.deepEqual(
    container!.env?.map(({ name }) => name),
    ['KT_PUBLIC_KEY']
  )
  t.deepEqual(Object.keys(configMapManifest('x', 'uid', SPEC).data!), ['agent.cjs', 'session.pem'])
  t.regex(shadowName(), /^kt-connect-shadow-[a-z]{5}$/)
})

test('a shadow to which others come: labels, ports and names, a probe, its configuration', t => {
  const exposed = exposure(8080)
  const { spec, metadata } = podManifest('web-kt-exchange-abcde', { ...SPEC, exposure: exposed })
  t.like(metadata?.labels, { app: 'web', 'control-by': 'kt', 'kt-role': 'shadow-exchange' })
  t.is(metadata?.annotations?.['kt-config'], 'x')
  const [container] = spec!.containers
  t.deepEqual(container!.ports, [
    { containerPort: 8080, protocol: 'TCP', name: 'http' },
    { containerPort: 9053, protocol: 'UDP' }
  ])
  t.deepEqual(container!.readinessProbe?.tcpSocket, { port: 7071 })
  const values = Object.fromEntries(container!.env!.map(({ name, value }) => [name, value]))
  t.like(values, { KT_EXPOSE: '/kt/expose.json', KT_LISTEN: '7070', KT_READY: '7071' })
  t.is(spec!.securityContext?.sysctls, undefined)
  const { data, metadata: config } = configMapManifest('x', 'uid', { ...SPEC, exposure: exposed })
  t.deepEqual(JSON.parse(data!['expose.json']!), exposed.config)
  t.is(config?.labels?.app, undefined, 'the labels of the application are for the pod alone')
  t.regex(shadowName(exposed), /^web-kt-exchange-[a-z]{5}$/)
})

test('a port below 1024 needs the safe sysctl, and only that', t => {
  const { spec } = podManifest('x', { ...SPEC, exposure: exposure(80) })
  t.deepEqual(spec!.securityContext?.sysctls, [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }])
  t.deepEqual(spec!.containers[0]!.securityContext?.capabilities, { drop: ['ALL'] })
})

test('what the user wants of a pod, beside what kt needs', t => {
  const { spec, metadata } = podManifest('kt-connect-shadow-abcde', {
    ...SPEC,
    imagePullPolicy: 'Always',
    imagePullSecrets: ['registry'],
    nodeSelector: { disk: 'ssd' },
    serviceAccount: 'builder',
    labels: { team: 'a', 'kt-role': 'not this one' },
    annotations: { note: 'b' },
    quota: { memory: '1Gi' }
  })
  t.like(metadata?.labels, { team: 'a', 'kt-role': 'shadow-connect' })
  t.is(metadata?.annotations?.note, 'b')
  t.deepEqual(spec?.imagePullSecrets, [{ name: 'registry' }])
  t.deepEqual(spec?.nodeSelector, { 'kubernetes.io/os': 'linux', disk: 'ssd' })
  t.is(spec?.serviceAccountName, 'builder')
  t.false(spec?.automountServiceAccountToken)
  const [container] = spec?.containers ?? []
  t.is(container?.imagePullPolicy, 'Always')
  t.deepEqual(container?.resources, { requests: { cpu: '50m', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } })
})

test('an ssh door is a second file, and its port stands beside what is exposed', t => {
  const ssh = { bundle: 'the door', authorizedKeys: 'ssh-ed25519 AAAA', shell: false }
  const filesOf = (spec: ShadowSpec): object => configMapManifest('x', 'uid', spec).data!
  t.like(filesOf({ ...SPEC, ssh }), { 'ssh-door.cjs': 'the door', authorized_keys: 'ssh-ed25519 AAAA' })
  const variables = (spec: ShadowSpec): Record<string, string | undefined> =>
    Object.fromEntries(podManifest('x', spec).spec!.containers[0]!.env!.map(({ name, value }) => [name, value]))
  const files = { KT_SSH: '/kt/ssh-door.cjs', KT_SSH_KEYS: '/kt/authorized_keys' }
  t.deepEqual(variables({ ...SPEC, ssh }), { KT_PUBLIC_KEY: '/kt/session.pem', ...files })
  t.is(variables({ ...SPEC, ssh: { ...ssh, shell: true } }).KT_SSH_SHELL, '1')
  t.is(variables({ ...SPEC, ssh, exposure: exposure(7022) }).KT_SSH_LISTEN, '7023')
  t.false('KT_SSH' in variables({ ...SPEC, exposure: exposure(8080) }))
})
