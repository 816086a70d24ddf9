// `kt mesh`, put together: a place in the mesh, routers if there are none yet, a shadow, and only then a route. Undone in reverse.
import { hostname } from 'node:os'
import { KtError } from '../../errors.ts'
import type { Right } from '../../kube/api/api-error.ts'
import type { Cluster, Service } from '../../kube/api/client.ts'
import { rightsOf } from '../../kube/api/rights.ts'
import { conditionsOf, describeConditions, type Mark } from '../../kube/mesh/match.ts'
import { beatRouter, ensureRouter, routerFiles } from '../../kube/mesh/router.ts'
import { servesMesh } from '../../kube/mesh/service.ts'
import { beatMesh } from '../../kube/mesh/store.ts'
import type { Mesh, Participant } from '../../kube/mesh/table.ts'
import { CONFIG_ANNOTATION, meshName, stuntmanName } from '../../kube/names.ts'
import { agentSource } from '../../kube/shadow/agent-source.ts'
import { laptopUser } from '../../kube/shadow/shadow-manifest.ts'
import {
  beatService,
  type Diverting,
  demandNotKtConnect,
  holderOf,
  planDiversion
} from '../../kube/traffic/exchange.ts'
import { exchangeState } from '../../kube/traffic/exchange-plan.ts'
import { describeOwner, HEARTBEAT_SECONDS, ownerAnnotations } from '../../kube/traffic/owner.ts'
import {
  type CarriedPort,
  carriedPorts,
  describePorts,
  exampleExpose,
  parseExpose,
  type ServicePort,
  servicePorts
} from '../../kube/traffic/ports.ts'
import { findService, type Target } from '../../kube/traffic/target.ts'
import { agentPorts } from '../../tunnel/expose.ts'
import { version } from '../../version.ts'
import type { Report } from '../report.ts'
import { step } from '../run.ts'
import {
  type Begun,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  type ExposingOptions,
  ownProcess,
  type Planned,
  runExposing,
  startShadow
} from './exposing.ts'
import { MeshDiversion } from './mesh-diversion.ts'
import { MeshPlace } from './mesh-place.ts'

/** One service that is to be meshed. */
export interface MeshWish {
  target: Target
  /** As typed. */
  expose: string
  mark: Mark
  /** `--match`, as typed. */
  matches: string[]
  /** Copies come here, the originals answer. */
  mirror: boolean
  /** Take the version of somebody who has been silent. */
  takeover: boolean
}

export interface MeshOptions extends ExposingOptions, MeshWish {}

/** Lead the requests that are meant for this laptop to it, until `stop` is aborted or the place is lost. Rejects with what ended it. */
export async function mesh(options: MeshOptions, report: Report, stop: AbortController): Promise<void> {
  const command = { name: 'mesh', rights: meshRights(options), plan: planMesh }
  await runExposing(options, command, report, stop)
}

/** What a mesh of this target cannot do without. */
export function meshRights({ target: { kind } }: Pick<MeshWish, 'target'>): (namespace: string) => Right[] {
  return namespace => rightsOf('mesh', namespace, `${kind}/NAME`, '--mode auto')
}

/** Look at everything that can be in the way; throws KtError. */
export async function planMesh(exposing: Exposing, wish: MeshWish): Promise<Planned> {
  const { stop, cluster } = exposing
  const match = conditionsOf(wish.mark, wish.matches)
  const service = await findService(cluster, wish.target, stop.signal)
  await demandNotExchanged(cluster, service, stop.signal)
  // A Deployment owns the routers, so nobody adopts them for their labels.
  const plan = await planDiversion(cluster, service, stop.signal, { adoptable: false })
  const all = servicePorts(service, plan.pods)
  const ports = exposedTcpPorts(plan.service, all, wish.expose)
  if (!exposing.options.skipPortChecking) await checkLocalPrograms(ports)
  const fresh: Mesh = {
    format: 1,
    service: plan.service,
    token: plan.token,
    mode: plan.mode,
    originals: `${stuntmanName(plan.service)}.${cluster.namespace}.svc`,
    ports: carriedPorts(plan.service, all, []).map(({ port, network, name }) => ({
      port,
      network,
      original: port,
      name
    })),
    closing: false,
    participants: []
  }
  const me: Participant = {
    version: wish.mark.version,
    user: laptopUser(),
    host: hostname(),
    process: ownProcess(),
    match,
    mirror: wish.mirror,
    ports: ports.map(({ port }) => port),
    pod: '',
    address: ''
  }
  return () => begin(exposing, { service, plan, ports, fresh, me, takeover: wish.takeover })
}

/** By an exchange every connection goes elsewhere: there is nothing left to choose from. */
async function demandNotExchanged(cluster: Cluster, service: Service, signal: AbortSignal): Promise<void> {
  if (exchangeState(service).kind === 'meshed') return
  const holder = await holderOf(cluster, service, signal)
  if (holder === undefined || (await servesMesh(cluster, service, signal))) return
  demandNotKtConnect(service, holder)
  const name = service.metadata?.name ?? ''
  throw new KtError(
    'KT_CONFLICT',
    `service '${name}' is exchanged by ${describeOwner(holder)}: it cannot be meshed meanwhile`,
    { hint: `kt recover ${name} ends the exchange` }
  )
}

/** Those that lead to the laptop. Throws KT_USAGE for a port without requests, or when there is none. */
export function exposedTcpPorts(service: string, ports: readonly ServicePort[], expose: string): CarriedPort[] {
  const [first] = ports
  if (expose === '')
    throw new KtError(
      'KT_USAGE',
      `--expose is missing; service ${service} has: ${describePorts(ports) || 'no ports'}`,
      {
        hint: first === undefined ? '' : `for example: kt mesh ${service} --expose ${exampleExpose(first)}`
      }
    )
  const exposed = carriedPorts(service, ports, parseExpose(expose)).filter(({ local }) => local !== undefined)
  const udp = exposed.find(({ network }) => network === 'udp')
  if (udp === undefined) return exposed
  throw new KtError('KT_USAGE', `--expose: a mesh looks at requests, and UDP port ${udp.port} has none`, {
    hint: `kt exchange ${service} leads all of a UDP port to the laptop`
  })
}

interface Plan {
  service: Service
  plan: Diverting
  ports: CarriedPort[]
  fresh: Mesh
  me: Participant
  takeover: boolean
}

async function begin(exposing: Exposing, { service, plan, ports, fresh, me, takeover }: Plan): Promise<Begun> {
  const { report, stop, life, cluster, options } = exposing
  const name = plan.service
  const annotations = ownerAnnotations(ownProcess(), version)
  const files = async () => routerFiles(await agentSource())
  const place = new MeshPlace({ cluster, fresh, me, files, takeover, report, signal: stop.signal })
  life.onStop('', async () => {
    await place.leave(plan.selector)
    for (const text of await place.takeDown()) report({ event: 'note', text })
  })
  const mesh = await step(exposing, `Version ${me.version} of service ${name} is ours`, () => place.take())
  const router = { mesh, selector: plan.selector, image: options.image, annotations, agentPorts: routerPorts(mesh) }
  const diversion = new MeshDiversion({ cluster, mesh, me, router, report, signal: stop.signal })
  keepBeating(exposing, place, diversion)
  await step(exposing, 'Stuntman service and router are there', () => ensureRouter(cluster, service, router))
  await startShadow(exposing, {
    prefix: meshName(name, me.version),
    exactly: true,
    role: 'shadow-mesh',
    labels: {},
    annotations: { ...annotations, [CONFIG_ANNOTATION]: `service=${name},version=${me.version}` },
    // Copies must not reach the originals a second time.
    originals: me.mirror ? '' : mesh.originals,
    ports,
    fallback: !me.mirror,
    onShadow: ({ name, podAddresses: [address = ''] }) => place.shadow(name, address)
  })
  await step(exposing, 'Router pod is ready', () => diversion.ready())
  life.onStop(`Requests of version ${me.version} go to the original pods`, async () => {
    await diversion.end()
    await place.leave(diversion.selector)
  })
  await step(exposing, `Service ${name} leads to its router`, () => diversion.begin())
  await step(exposing, 'Router pod configuration done', () => place.enter())
  sayHow(report, service, plan, ports, me)
  return {
    banner: `Now you can access your service by ${describeConditions(me.match)}`,
    exposed: ports.map(port => `service ${name}, ${describeConditions(me.match)}: ${describeCarried(port)}`),
    lost: diversion.lost
  }
}

/** Beside the ports of the service. */
function routerPorts({ originals, ports }: Mesh): ReturnType<typeof agentPorts> {
  const fields = { to: 'originals', fallback: true } as const
  return agentPorts({ originals, ports: ports.map(port => ({ ...port, ...fields })) })
}

/** Every participant keeps all of the mesh known as alive, and looks after it. */
function keepBeating({ life, cluster }: Exposing, { me }: MeshPlace, diversion: MeshDiversion): void {
  const beat = async (): Promise<void> => {
    const service = diversion.service
    await beatMesh(cluster, service, me.version)
    await Promise.all([beatService(cluster, stuntmanName(service)), beatRouter(cluster, service)])
  }
  const heart = setInterval(() => {
    void beat().catch(() => {}) // what is gone the look finds out
    diversion.look()
  }, HEARTBEAT_SECONDS * 1000).unref()
  life.onStop('', () => clearInterval(heart))
}

function sayHow(
  report: Report,
  { spec }: Service,
  plan: Diverting,
  ports: CarriedPort[],
  { mirror }: Participant
): void {
  const { service, mode, reason, headless } = plan
  const note = (text: string): void => report({ event: 'note', text })
  for (const port of ports) note(`${service} ${describeCarried(port)}`)
  for (const port of spec?.ports ?? [])
    if (looksLikeTls(port))
      report({
        event: 'warning',
        text: `port ${port.name ?? port.port} of ${service} looks like TLS: nobody on the way can read its requests, so all of them go to the original pods`
      })
  if (mirror) note('copies come here; the original pods answer')
  if (mode === 'replace') note(`The selector of ${service} is replaced, not narrowed: ${reason}`)
  if (headless) note(`${service} is headless: callers find the router when their DNS answer expires (30 s)`)
  note('Connections that are open already stay with the original pods; requests on new ones are looked at one by one')
}

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number]

/** By what Kubernetes is told about it; nobody has asked the port itself. */
export function looksLikeTls({ name = '', port, appProtocol = '' }: Port): boolean {
  return (
    port === 443 || /^(https|tls|ssl)(-|$)|-(https|tls)$/i.test(name) || /(^|\/)(https|tls|wss)$/i.test(appProtocol)
  )
}
