// The two objects of a shadow: a bare Pod that passes Pod Security `restricted`, and the ConfigMap with what it runs.
import { userInfo } from 'node:os'
import type { ConfigMap, Pod } from './client.ts'
import { CONTROL_LABEL, HEARTBEAT_ANNOTATION, ROLE_LABEL, randomSuffix, USER_ANNOTATION } from './names.ts'

/** What a shadow is made of. */
export interface ShadowSpec {
  /** A stock Node image, 20 or newer. */
  image: string
  /** The agent's bundle, CommonJS. ConfigMaps take 1 MiB in all. */
  agent: string
  /** PEM of the session's public key; nothing secret is ever put into the cluster. */
  publicKey: string
  imagePullPolicy?: 'IfNotPresent' | 'Always' | 'Never'
  imagePullSecrets?: string[]
  nodeSelector?: Record<string, string>
}

const MOUNT = '/kt'
const AGENT_FILE = 'agent.cjs'
const KEY_FILE = 'session.pem'
/** The agent keeps to 96 MB whatever the flows do; the rest is Node itself and what the kernel counts for its sockets. */
const MEMORY_LIMIT = '256Mi'
const HEAP_MAX_MB = 96
/** Any user but root; the image need not know it. */
const USER_ID = 1000

/** `kt-connect-shadow-xxxxx`, as kt-connect names it. */
export function shadowName(): string {
  return `kt-connect-shadow-${randomSuffix()}`
}

/** Who runs kt, also below sudo. */
export function laptopUser(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username
  } catch {
    return 'unknown' // an id without an entry in passwd
  }
}

function metadata(name: string) {
  return {
    name,
    labels: { [CONTROL_LABEL]: 'kt', [ROLE_LABEL]: 'shadow-connect', 'sidecar.istio.io/inject': 'false' },
    annotations: {
      [USER_ANNOTATION]: laptopUser(),
      [HEARTBEAT_ANNOTATION]: String(Math.floor(Date.now() / 1000)),
      'sidecar.istio.io/inject': 'false', // the label's name in older versions
      'linkerd.io/inject': 'disabled',
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' // a bare pod would keep its node alive
    }
  }
}

/** Belongs to the pod, so that the cluster collects it whenever the pod goes, and however. */
export function configMapManifest(name: string, podUid: string, { agent, publicKey }: ShadowSpec): ConfigMap {
  const owner = { apiVersion: 'v1', kind: 'Pod', name, uid: podUid }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata(name), ownerReferences: [owner] },
    immutable: true, // the kubelet need not watch it
    data: { [AGENT_FILE]: agent, [KEY_FILE]: publicKey }
  }
}

export function podManifest(name: string, spec: ShadowSpec): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(name),
    spec: {
      // An agent that ends by itself (exit 0: its session is gone) stays ended; one that crashes comes back under the same name.
      restartPolicy: 'OnFailure',
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { 'kubernetes.io/os': 'linux', ...spec.nodeSelector },
      ...(spec.imagePullSecrets === undefined
        ? {}
        : { imagePullSecrets: spec.imagePullSecrets.map(secret => ({ name: secret })) }),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        seccompProfile: { type: 'RuntimeDefault' }
      },
      containers: [container(spec)],
      volumes: [{ name: 'kt', configMap: { name } }]
    }
  }
}

function container({ image, imagePullPolicy }: ShadowSpec): NonNullable<Pod['spec']>['containers'][number] {
  return {
    name: 'agent',
    image,
    imagePullPolicy: imagePullPolicy ?? 'IfNotPresent',
    command: ['node', `--max-old-space-size=${HEAP_MAX_MB}`, `${MOUNT}/${AGENT_FILE}`],
    env: [{ name: 'KT_PUBLIC_KEY', value: `${MOUNT}/${KEY_FILE}` }],
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { cpu: '2', memory: MEMORY_LIMIT } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    },
    // What a crashing agent said last is then in the pod's status: no right to read logs is needed.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [{ name: 'kt', mountPath: MOUNT, readOnly: true }]
  }
}
