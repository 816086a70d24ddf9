// The two objects of a shadow: a bare Pod that passes Pod Security `restricted`, and the ConfigMap with what it runs.
import { userInfo } from 'node:os'
import type { ExposeConfig } from '../../tunnel/expose.ts'
import type { ConfigMap, Pod } from '../api/client.ts'
import { CONTROL_LABEL, HEARTBEAT_ANNOTATION, ROLE_LABEL, randomSuffix, USER_ANNOTATION } from '../names.ts'

/** What the user wants of every pod that kt makes. */
export interface PodWishes {
  imagePullPolicy?: 'IfNotPresent' | 'Always' | 'Never'
  imagePullSecrets?: string[]
  nodeSelector?: Record<string, string>
  serviceAccount?: string
  /** Of the pod only; kt's own stay as they are. */
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** In place of kt's own requests and limits, as both; quantities of Kubernetes. */
  quota?: { cpu?: string; memory?: string }
  /** In place of one minute (five while an image is pulled). */
  readyLimitMs?: number
  /** How long the agent waits for a laptop that has gone; left out: three minutes. */
  orphanSeconds?: number
}

/** What a shadow is made of. */
export interface ShadowSpec extends PodWishes {
  /** A stock Node image, 20 or newer. */
  image: string
  /** The agent's bundle, CommonJS. ConfigMaps take 1 MiB in all. */
  agent: string
  /** PEM of the session's public key; nothing secret is ever put into the cluster. */
  publicKey: string
  /** Left out: the shadow of `kt up`, to which nobody in the cluster comes. */
  exposure?: Exposure
  /** The agent's ssh door; left out: none. */
  ssh?: SshDoor
}

/** A second program beside the agent's, for OpenSSH. */
export interface SshDoor {
  /** Its bundle, CommonJS. */
  bundle: string
  /** Public keys that open it, as OpenSSH writes them. */
  authorizedKeys: string
  /** It also runs commands. */
  shell: boolean
}

/** A shadow to which others in the cluster come. */
export interface Exposure {
  /** Its name's beginning: `web-kt-exchange`. Five letters follow. */
  prefix: string
  /** `prefix` is all of the name, if nobody has it. */
  exactly?: boolean
  role: 'shadow-exchange' | 'shadow-preview' | 'shadow-mesh' | 'router'
  /** Of the pod only, beside kt's own; what makes a Service select it may better come later, by `Shadow.mark`. */
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** What the agent listens for and who gets it. */
  config: ExposeConfig
  /** Where the agent's session, its sign of readiness and its ssh door are: `agentPorts(config)`. */
  agentPorts: { session: number; ready: number; ssh: number }
  /** Names of the ports, for Services with named target ports; at most 15 characters each (RFC 6335 §5.1). */
  portNames?: { name: string; port: number; network: 'tcp' | 'udp' }[]
}

/** Where an agent's pod finds its files. */
export const MOUNT = '/kt'
/** The agent's bundle among them. */
export const AGENT_FILE = 'agent.cjs'
const KEY_FILE = 'session.pem'
const EXPOSE_FILE = 'expose.json'
const SSH_FILE = 'ssh-door.cjs'
const SSH_KEYS_FILE = 'authorized_keys'
/** The agent keeps to 96 MB whatever the flows do; the rest is Node itself and what the kernel counts for its sockets. */
const MEMORY_LIMIT = '256Mi'
const HEAP_MAX_MB = 96
/** Any user but root; the image need not know it. */
const USER_ID = 1000
/** From here on anybody may listen; below, the pod needs a sysctl, which Kubernetes counts as safe. */
const FIRST_UNPRIVILEGED_PORT = 1024
/** Nobody but the agent is waited for after SIGTERM, seconds. */
const GRACE_SECONDS = 1
/** Callers that are being served when the pod is removed may finish, seconds; the agent ends by itself when all have. */
const EXPOSED_GRACE_SECONDS = 5

/** `kt-connect-shadow-xxxxx`, `web-kt-exchange-xxxxx`: as kt-connect names them. */
export function shadowName(exposure?: Exposure): string {
  return `${exposure?.prefix ?? 'kt-connect-shadow'}-${randomSuffix()}`
}

/** Who runs kt, also below sudo. */
export function laptopUser(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username
  } catch {
    return 'unknown' // an id without an entry in passwd
  }
}

function metadata(name: string, exposure: Exposure | undefined) {
  return {
    name,
    labels: {
      [CONTROL_LABEL]: 'kt',
      [ROLE_LABEL]: exposure?.role ?? 'shadow-connect',
      'sidecar.istio.io/inject': 'false'
    },
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
export function configMapManifest(name: string, podUid: string, spec: ShadowSpec): ConfigMap {
  const { agent, publicKey, exposure, ssh } = spec
  const owner = { apiVersion: 'v1', kind: 'Pod', name, uid: podUid }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata(name, exposure), ownerReferences: [owner] },
    immutable: true, // the kubelet need not watch it
    data: {
      [AGENT_FILE]: agent,
      [KEY_FILE]: publicKey,
      ...(exposure === undefined ? {} : { [EXPOSE_FILE]: JSON.stringify(exposure.config) }),
      ...(ssh === undefined ? {} : { [SSH_FILE]: ssh.bundle, [SSH_KEYS_FILE]: ssh.authorizedKeys })
    }
  }
}

export function podManifest(name: string, spec: ShadowSpec): Pod {
  const { exposure } = spec
  const { labels, annotations, ...rest } = metadata(name, exposure)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...rest,
      // kt's own last: they are what finds the pod again.
      labels: { ...spec.labels, ...exposure?.labels, ...labels },
      annotations: { ...spec.annotations, ...exposure?.annotations, ...annotations }
    },
    spec: {
      // An agent that ends by itself (exit 0: its session is gone) stays ended; one that crashes comes back under the same name.
      restartPolicy: 'OnFailure',
      terminationGracePeriodSeconds: exposure === undefined ? GRACE_SECONDS : EXPOSED_GRACE_SECONDS,
      automountServiceAccountToken: false,
      ...(spec.serviceAccount === undefined ? {} : { serviceAccountName: spec.serviceAccount }),
      enableServiceLinks: false,
      nodeSelector: { 'kubernetes.io/os': 'linux', ...spec.nodeSelector },
      ...(spec.imagePullSecrets === undefined
        ? {}
        : { imagePullSecrets: spec.imagePullSecrets.map(secret => ({ name: secret })) }),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        seccompProfile: { type: 'RuntimeDefault' },
        ...(exposure?.config.ports.some(({ port }) => port < FIRST_UNPRIVILEGED_PORT)
          ? { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }
          : {})
      },
      containers: [container(spec)],
      volumes: [{ name: 'kt', configMap: { name } }]
    }
  }
}

type Container = NonNullable<Pod['spec']>['containers'][number]

function container({ image, imagePullPolicy, exposure, ssh, quota, orphanSeconds }: ShadowSpec): Container {
  return {
    name: 'agent',
    image,
    imagePullPolicy: imagePullPolicy ?? 'IfNotPresent',
    // A small young generation: under bulk traffic it saves 40 MB (measured: 145 to 105) and costs nothing that can be seen.
    command: ['node', '--max-semi-space-size=1', `--max-old-space-size=${HEAP_MAX_MB}`, `${MOUNT}/${AGENT_FILE}`],
    env: [
      { name: 'KT_PUBLIC_KEY', value: `${MOUNT}/${KEY_FILE}` },
      ...(orphanSeconds === undefined ? [] : [{ name: 'KT_ORPHAN_SECONDS', value: String(orphanSeconds) }]),
      ...(exposure === undefined
        ? []
        : [
            { name: 'KT_EXPOSE', value: `${MOUNT}/${EXPOSE_FILE}` },
            { name: 'KT_LISTEN', value: String(exposure.agentPorts.session) },
            { name: 'KT_READY', value: String(exposure.agentPorts.ready) }
          ]),
      ...(ssh === undefined
        ? []
        : [
            { name: 'KT_SSH', value: `${MOUNT}/${SSH_FILE}` },
            { name: 'KT_SSH_KEYS', value: `${MOUNT}/${SSH_KEYS_FILE}` },
            ...(exposure === undefined ? [] : [{ name: 'KT_SSH_LISTEN', value: String(exposure.agentPorts.ssh) }]),
            ...(ssh.shell ? [{ name: 'KT_SSH_SHELL', value: '1' }] : [])
          ])
    ],
    ...(exposure === undefined ? {} : exposedPorts(exposure)),
    resources: {
      requests: { cpu: '50m', memory: '64Mi', ...quota },
      limits: { cpu: '2', memory: MEMORY_LIMIT, ...quota }
    },
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

/** No endpoint before every port is bound, and none while a crashed agent comes back. */
function exposedPorts({ config, agentPorts, portNames = [] }: Exposure): Pick<Container, 'ports' | 'readinessProbe'> {
  return {
    ports: config.ports.map(({ port, network }) => {
      const name = portNames.find(named => named.port === port && named.network === network)?.name
      return { containerPort: port, protocol: network.toUpperCase(), ...(name === undefined ? {} : { name }) }
    }),
    readinessProbe: { tcpSocket: { port: agentPorts.ready }, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 3 }
  }
}
