// `kt exchange --mode ephemeral`: a container of ours in one pod, at a port where nobody listens. Nothing else is changed.
import { randomInt } from 'node:crypto'
import { KtError } from '../../errors.ts'
import { statusOf } from '../../kube/api/api-error.ts'
import type { Cluster, Pod } from '../../kube/api/client.ts'
import { PODS } from '../../kube/api/resource.ts'
import { agentSource } from '../../kube/shadow/agent-source.ts'
import {
  addContainer,
  demandRoom,
  ephemeralContainer,
  portIsTaken,
  untilContainerRuns
} from '../../kube/shadow/ephemeral.ts'
import { portTaken } from '../../kube/shadow/port-taken.ts'
import { planDiversion } from '../../kube/traffic/exchange.ts'
import { type CarriedPort, parseExpose, podPorts, servicePorts } from '../../kube/traffic/ports.ts'
import { isReady } from '../../kube/traffic/ready-pods.ts'
import { findService, type Target } from '../../kube/traffic/target.ts'
import { linkAgent, sessionKeys } from '../link/reach-agent.ts'
import { step } from '../run.ts'
import { chosenPorts } from './chosen-ports.ts'
import type { ExchangeWish } from './exchange.ts'
import { type Begun, checkLocalPrograms, describeCarried, type Exposing, inboundTo, type Planned } from './exposing.ts'

/** Unless `--grace` says otherwise: meanwhile the pod's own program could not have the port. */
const ORPHAN_SECONDS = 30
/** For the agent's session: below what the kernel takes for connections by itself (ip_local_port_range). */
const SESSION_PORTS = [20_000, 30_000] as const

/** Look at everything that can be in the way; throws KtError. */
export async function planEphemeral(exposing: Exposing, wish: ExchangeWish): Promise<Planned> {
  const { stop, cluster, options } = exposing
  if (cluster.carrier === 'ssh')
    throw new KtError('KT_USAGE', '--carrier ssh is for a pod of its own, which --mode ephemeral has not')
  const { pod, ports } = wish.target.kind === 'pod' ? await byName(exposing, wish) : await behindService(exposing, wish)
  const name = pod.metadata?.name ?? ''
  demandRoom(pod, ports)
  if (!options.skipPortChecking) await checkLocalPrograms(ports)
  const tcp = ports.filter(({ network }) => network === 'tcp')
  const taken = await Promise.all(tcp.map(({ port }) => portTaken(cluster, name, port, stop.signal)))
  for (const [i, { port }] of tcp.entries()) if (taken[i]) throw portIsTaken(name, port)
  return () => begin(exposing, pod, ports)
}

interface Place {
  pod: Pod
  ports: CarriedPort[]
}

async function byName({ cluster, stop }: Exposing, { target: { name }, expose }: ExchangeWish): Promise<Place> {
  const pod = await getPod(cluster, name, stop.signal)
  return { pod, ports: podPorts(pod, expose === '' ? [] : parseExpose(expose)) }
}

async function behindService(exposing: Exposing, wish: ExchangeWish): Promise<Place> {
  const { cluster, stop } = exposing
  const service = await findService(cluster, wish.target, stop.signal)
  const { pods, service: name } = await planDiversion(cluster, service, stop.signal)
  const [pod, ...others] = pods.filter(isReady)
  if (pod === undefined || others.length > 0) throw notOnePod(wish.target, pods.filter(isReady))
  const ports = await chosenPorts(exposing, name, servicePorts(service, pods), wish)
  return { pod, ports: ports.filter(({ local }) => local !== undefined) }
}

function notOnePod({ kind, name }: Target, pods: Pod[]): KtError {
  const names = pods.map(({ metadata }) => `pod/${metadata?.name}`)
  const found = names.length === 0 ? 'is none that is ready' : `are ${names.length}: ${names.join(', ')}`
  return new KtError('KT_USAGE', `--mode ephemeral is for one pod; behind ${kind} ${name} there ${found}`, {
    hint: names.length === 0 ? 'start it first, or use --mode scale' : 'name one of them, or use --mode selector'
  })
}

async function getPod({ api, namespace }: Cluster, name: string, signal: AbortSignal): Promise<Pod> {
  try {
    return await api.call<Pod>({ ...PODS, verb: 'get', namespace, name }, signal)
  } catch (cause) {
    if (statusOf(cause) !== 404) throw cause
    throw new KtError('KT_NOT_FOUND', `there is no pod "${name}" in namespace ${namespace}`, {
      hint: `kubectl -n ${namespace} get pods lists them; another namespace: --namespace`,
      cause
    })
  }
}

async function begin(exposing: Exposing, pod: Pod, ports: CarriedPort[]): Promise<Begun> {
  const { report, stop, cluster, options, parts } = exposing
  const podName = pod.metadata?.name ?? ''
  const { publicKey, privateKey } = sessionKeys()
  const sessionPort = randomInt(...SESSION_PORTS)
  const { orphanSeconds = ORPHAN_SECONDS, imagePullPolicy } = cluster.pods
  const container = ephemeralContainer({
    image: options.image,
    agent: await agentSource(),
    publicKey,
    sessionPort,
    orphanSeconds,
    imagePullPolicy,
    config: {
      originals: '',
      ports: ports.map(({ port, network }) => ({ port, network, to: 'laptop', original: port, fallback: false }))
    }
  })
  stop.signal.throwIfAborted()
  await addContainer(cluster, podName, container)
  const { lost } = await step(exposing, `Container ${container.name} runs in pod ${podName}`, () =>
    untilContainerRuns(cluster, podName, container.name, stop.signal)
  )
  const inbound = await inboundTo(exposing, { ports, fallback: false })
  const keeper = { podName, port: sessionPort, pod: async () => podName, lost: async () => {} }
  await linkAgent(exposing, cluster, parts, { keeper, privateKey, onStream: inbound.onStream })
  for (const port of ports) report({ event: 'note', text: `${podName} ${describeCarried(port)}` })
  if (!isReady(pod)) report({ event: 'note', text: `pod ${podName} is not ready: no service sends callers to it` })
  report({
    event: 'note',
    text: `Container ${container.name} cannot be removed: it ends by itself, at the end or ${orphanSeconds} s after this laptop has gone, and stays in the list of the pod`
  })
  return {
    banner: `Now all request to pod '${podName}' will be redirected to local`,
    exposed: ports.map(port => `pod ${podName}: ${describeCarried(port)}`),
    lost
  }
}
