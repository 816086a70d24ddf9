// lib/kube/mesh/router-manifest.ts: the Deployment of the routers.
import test from 'ava'
import { type RouterSpec, routerManifest } from '../../../lib/kube/mesh/router-manifest.ts'
import type { Mesh } from '../../../lib/kube/mesh/table.ts'

const MESH: Mesh = {
  format: 1,
  service: 'shop',
  token: 'abcde',
  mode: 'narrow',
  originals: 'shop-kt-stuntman.demo.svc',
  ports: [{ port: 80, network: 'tcp', original: 80, name: 'web' }],
  closing: false,
  participants: []
}
const spec = (mode: Mesh['mode']): RouterSpec => ({
  mesh: { ...MESH, mode },
  selector: { app: 'shop' },
  image: 'node:24-alpine',
  agentPorts: { session: 7070, ready: 7071, ssh: 7022 },
  annotations: { 'kt-user': 'ada' }
})

test('narrowed, the routers wear the labels of the service; replaced, only their own', t => {
  const labels = (mode: Mesh['mode']) => routerManifest(spec(mode), {}).spec?.template.metadata?.labels
  t.like(labels('narrow'), { app: 'shop', 'kt-mesh': 'abcde', 'kt-role': 'router' })
  t.is(labels('replace')?.app, undefined)
  t.like(labels('replace'), { 'kt-mesh': 'abcde' })
  t.is(labels('narrow')?.['control-by'], undefined, 'a Deployment makes them again: nobody may take one for abandoned')
})

test('two of them, apart, replaced one by one; restricted, without a key, with the mesh for their file', t => {
  const { metadata, spec: deployment } = routerManifest(spec('narrow'), { nodeSelector: { disk: 'ssd' } })
  t.is(metadata?.name, 'shop-kt-router')
  t.like(metadata?.annotations, { 'kt-user': 'ada', 'kt-config': 'service=shop' })
  t.deepEqual(deployment?.selector, { matchLabels: { 'kt-mesh': 'abcde' } })
  t.deepEqual(deployment?.strategy?.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
  const pod = deployment?.template.spec
  t.is(deployment?.replicas, 2)
  t.is(pod?.restartPolicy, 'Always')
  t.is(pod?.automountServiceAccountToken, false)
  t.like(pod?.nodeSelector, { disk: 'ssd' })
  t.deepEqual(pod?.securityContext?.sysctls, [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }])
  t.deepEqual(pod?.volumes, [{ name: 'kt', configMap: { name: 'shop-kt-router' } }])
  const [container] = pod?.containers ?? []
  t.deepEqual(container?.env, [
    { name: 'KT_ROLE', value: 'router' },
    { name: 'KT_ROUTES', value: '/kt/routes.json' },
    { name: 'KT_LISTEN', value: '7070' },
    { name: 'KT_READY', value: '7071' }
  ])
  t.deepEqual(container?.ports, [{ containerPort: 80, protocol: 'TCP', name: 'web' }])
  t.deepEqual(container?.readinessProbe?.tcpSocket, { port: 7071 })
})
