// `kt exchange`, put together: stuntman, shadow, and only then the service; undone in reverse, the service first.
import type { Right } from '../../kube/api/api-error.ts'
import type { Service } from '../../kube/api/client.ts'
import { rightsOf } from '../../kube/api/rights.ts'
import { CONFIG_ANNOTATION, EXCHANGE_KEY } from '../../kube/names.ts'
import {
  createStuntman,
  type Diverting,
  deleteStuntman,
  demandFree,
  planDiversion
} from '../../kube/traffic/exchange.ts'
import { ownerAnnotations } from '../../kube/traffic/owner.ts'
import { type CarriedPort, type ServicePort, servicePorts } from '../../kube/traffic/ports.ts'
import { findRemains, recoverService } from '../../kube/traffic/recover.ts'
import { findService, type Target } from '../../kube/traffic/target.ts'
import { version } from '../../version.ts'
import type { Report } from '../report.ts'
import { step } from '../run.ts'
import { chosenPorts } from './chosen-ports.ts'
import { Diversion } from './diversion.ts'
import { planEphemeral } from './exchange-ephemeral.ts'
import { planScale } from './exchange-scale.ts'
import {
  type Begun,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  type ExposingOptions,
  keepBeating,
  lives,
  ownProcess,
  type Planned,
  runExposing,
  startShadow
} from './exposing.ts'

/** The original pods stay beside, go to 0, or get a container of ours. */
export type ExchangeMode = 'selector' | 'scale' | 'ephemeral'

/** One service that is to be exchanged. */
export interface ExchangeWish {
  target: Target
  /** As typed; empty: `ask`, or say which ports exist. */
  expose: string
  /** Take a service whose owner has been silent. */
  takeover: boolean
  /** What the local program refuses goes to the original pods. */
  fallback: boolean
  /** How traffic is led here; default: by the selector. */
  mode?: ExchangeMode
  /** Mode `scale`: how long the originals are waited for at the end. */
  recoverWaitSeconds?: number
  /** Have the user choose among the ports of the service; what he would have typed. Only where there is a user. */
  ask?: ((service: string, ports: readonly ServicePort[]) => Promise<string>) | undefined
}

export interface ExchangeOptions extends ExposingOptions, ExchangeWish {}

/** Lead a service to this laptop until `stop` is aborted or it is taken away; then put it back. Rejects with what ended it. */
export async function exchange(options: ExchangeOptions, report: Report, stop: AbortController): Promise<void> {
  const command = { name: 'exchange', rights: exchangeRights(options), plan: planExchange }
  await runExposing(options, command, report, stop)
}

/** What an exchange of this target cannot do without. */
export function exchangeRights({ target: { kind }, mode }: ExchangeWish): (namespace: string) => Right[] {
  return namespace => rightsOf('exchange', namespace, `${kind}/NAME`, `--mode ${mode}`)
}

/** Look at everything that can be in the way; throws KtError. */
export async function planExchange(exposing: Exposing, wish: ExchangeWish): Promise<Planned> {
  if (wish.mode === 'scale') return await planScale(exposing, wish)
  if (wish.mode === 'ephemeral') return await planEphemeral(exposing, wish)
  const { stop, cluster } = exposing
  const service = await findService(cluster, wish.target, stop.signal)
  const stale = await demandFree(cluster, service, { takeover: wish.takeover, lives, signal: stop.signal })
  const plan = await planDiversion(cluster, service, stop.signal)
  const ports = await chosenPorts(exposing, service.metadata?.name ?? '', servicePorts(service, plan.pods), wish)
  if (!exposing.options.skipPortChecking) await checkLocalPrograms(ports)
  return () => begin(exposing, { service, plan, ports, stale, fallback: wish.fallback })
}

interface Plan {
  service: Service
  plan: Diverting
  ports: CarriedPort[]
  /** Something that was left behind has to be undone first. */
  stale: boolean
  fallback: boolean
}

async function begin(exposing: Exposing, planned: Plan): Promise<Begun> {
  const { report, stop, life, cluster } = exposing
  const { ports, fallback } = planned
  const { service, plan } = planned.stale ? await recovered(exposing, planned.plan.service) : planned
  const name = plan.service
  const annotations = ownerAnnotations(ownProcess(), version)
  const stuntman = await step(exposing, 'Stuntman service created', () => createStuntman(cluster, service, annotations))
  life.onStop(`Stuntman service ${stuntman} removed`, () => deleteStuntman(cluster, stuntman, ownProcess()))
  keepBeating(exposing, stuntman)
  await startShadow(exposing, {
    prefix: `${name}-kt-exchange`,
    role: 'shadow-exchange',
    labels: { [EXCHANGE_KEY]: plan.token },
    annotations: { ...annotations, [CONFIG_ANNOTATION]: `service=${name}` },
    originals: `${stuntman}.${cluster.namespace}.svc`,
    ports,
    fallback
  })
  const diversion = new Diversion({ cluster, plan, annotations, report, signal: stop.signal })
  life.onStop(`Original service ${name} recovered`, () => diversion.end())
  await step(exposing, `Service ${name} leads to this laptop`, () => diversion.begin())
  sayHow(report, plan, ports)
  return {
    banner: `Now all request to service '${name}' will be redirected to local`,
    exposed: ports.map(port => `service ${name}: ${describeCarried(port)}`),
    lost: diversion.lost
  }
}

/** Undo what an earlier exchange has left, and look again. */
async function recovered({ report, stop, cluster }: Exposing, name: string): Promise<Pick<Plan, 'service' | 'plan'>> {
  for (const text of await recoverService(cluster, name, await findRemains(cluster, stop.signal), stop.signal))
    report({ event: 'note', text: `left behind by an earlier exchange: ${text}` })
  const service = await findService(cluster, { kind: 'service', name }, stop.signal)
  return { service, plan: await planDiversion(cluster, service, stop.signal) }
}

function sayHow(report: Report, { service, mode, reason, headless }: Diverting, ports: CarriedPort[]): void {
  for (const port of ports) report({ event: 'note', text: `${service} ${describeCarried(port)}` })
  if (mode === 'replace')
    report({ event: 'note', text: `The selector of ${service} is replaced, not narrowed: ${reason}` })
  if (headless)
    report({
      event: 'note',
      text: `${service} is headless: callers find the laptop when their DNS answer expires (30 s)`
    })
  report({
    event: 'note',
    text: 'Connections that are open already stay where they are (--mode scale cuts them); new ones come here within a second'
  })
}
