// The traffic server in a cluster: one ConfigMap with the bundled program, one pod of a stock Node image, one Service.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { CLOSED_PORT, HTTP_PORT, TRAFFIC_PORT, UDP_PORT } from './ports.ts'

/** The server as one file of JavaScript for Node ≥ 20. */
export async function bundleServer(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('server.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    write: false
  })
  return outputFiles[0]!.text
}

/** Objects for `kubectl apply`: pod, ConfigMap and Service of one name. The pod passes Pod Security `restricted`. */
export async function trafficObjects(name: string, namespace: string, image: string): Promise<string> {
  const metadata = { name, namespace, labels: { app: name } }
  const ports = [
    { name: 'traffic', port: TRAFFIC_PORT, protocol: 'TCP' },
    { name: 'http', port: 80, targetPort: HTTP_PORT, protocol: 'TCP' },
    { name: 'closed', port: CLOSED_PORT, protocol: 'TCP' },
    { name: 'echo', port: UDP_PORT, protocol: 'UDP' }
  ]
  const items = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'server.mjs': await bundleServer() } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: name }, ports } },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(name, image) }
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

function podSpec(configMap: string, image: string): object {
  return {
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'traffic',
        image,
        command: ['node', '/program/server.mjs'],
        imagePullPolicy: 'IfNotPresent',
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true
        },
        readinessProbe: { httpGet: { path: '/', port: HTTP_PORT }, periodSeconds: 1 },
        volumeMounts: [{ name: 'program', mountPath: '/program' }]
      }
    ],
    volumes: [{ name: 'program', configMap: { name: configMap } }]
  }
}
