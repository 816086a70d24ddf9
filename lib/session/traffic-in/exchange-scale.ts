// `kt exchange --mode scale`: led here like by selector, and only then the workload goes to 0; undone in reverse, its pods first.

import { CONFIG_ANNOTATION, EXCHANGE_KEY, randomSuffix, stuntmanName } from '../../kube/names.ts'
import { describeAutoscalers } from '../../kube/traffic/autoscalers.ts'
import {
  createStuntman,
  type Diverting,
  deleteStuntman,
  demandFree,
  planDiversion,
  retireShadows,
  settled
} from '../../kube/traffic/exchange.ts'
import { ownerAnnotations } from '../../kube/traffic/owner.ts'
import type { CarriedPort } from '../../kube/traffic/ports.ts'
import { findRemains, recoverService } from '../../kube/traffic/recover.ts'
import { findScalable, type Scalable } from '../../kube/traffic/scalable.ts'
import { replicasConfig, workloadName } from '../../kube/traffic/scale.ts'
import { version } from '../../version.ts'
import { step } from '../run.ts'
import { chosenPorts } from './chosen-ports.ts'
import { Diversion } from './diversion.ts'
import type { ExchangeWish } from './exchange.ts'
import {
  type Begun,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  keepBeating,
  lives,
  ownProcess,
  type Planned,
  startShadow
} from './exposing.ts'
import { Scaling, scaledConfig } from './scaling.ts'

/** Pods that are made anew are waited for so long, seconds: kt-connect's number. */
export const RECOVER_WAIT_SECONDS = 120
/** What the end of the wait itself may take, ms. */
const SCALE_BACK_MS = 20_000

/** Look at everything that can be in the way; throws KtError. */
export async function planScale(exposing: Exposing, wish: ExchangeWish): Promise<Planned> {
  const { stop, cluster } = exposing
  const found = await findScalable(cluster, wish.target, stop.signal)
  const free = { takeover: wish.takeover, lives, signal: stop.signal }
  const stale: string[] = []
  for (const service of found.services)
    if (await demandFree(cluster, service, free)) stale.push(service.metadata?.name ?? '')
  const ports = await chosenPorts(exposing, found.services[0]?.metadata?.name ?? '', found.ports, wish)
  if (!exposing.options.skipPortChecking) await checkLocalPrograms(ports)
  const waitSeconds = wish.recoverWaitSeconds ?? RECOVER_WAIT_SECONDS
  return async () => {
    for (const name of stale)
      for (const text of await recoverService(cluster, name, await findRemains(cluster, stop.signal), stop.signal))
        exposing.report({ event: 'note', text: `left behind by an earlier exchange: ${text}` })
    const now = stale.length === 0 ? found : await findScalable(cluster, wish.target, stop.signal)
    return await begin(exposing, now, ports, waitSeconds)
  }
}

async function begin(
  exposing: Exposing,
  { workload, services }: Scalable,
  ports: CarriedPort[],
  waitSeconds: number
): Promise<Begun> {
  const { report, stop, life, cluster } = exposing
  const annotations = ownerAnnotations(ownProcess(), version)
  const token = randomSuffix()
  const names = services.map(({ metadata }) => metadata?.name ?? '')
  const [first = ''] = names
  const labels = workload.template.metadata?.labels ?? {}
  const plans: Diverting[] = []
  // Narrowed, whatever a selector alone would ask for: all that leads to these pods is to come here.
  for (const service of services)
    plans.push({ ...(await planDiversion(cluster, service, stop.signal)), mode: 'narrow', reason: '', token })

  for (const service of services) {
    const stuntman = await step(exposing, 'Stuntman service created', () =>
      createStuntman(cluster, service, annotations, replicasConfig(workload))
    )
    life.onStop(`Stuntman service ${stuntman} removed`, () => deleteStuntman(cluster, stuntman, ownProcess()))
    keepBeating(exposing, stuntman)
  }
  await startShadow(exposing, {
    prefix: `${first}-kt-exchange`,
    role: 'shadow-exchange',
    labels: { ...labels, [EXCHANGE_KEY]: token },
    annotations: { ...annotations, [CONFIG_ANNOTATION]: scaledConfig(first, workload) },
    originals: `${stuntmanName(first)}.${cluster.namespace}.svc`,
    ports,
    fallback: false
  })
  const diversions = plans.map(
    plan => new Diversion({ cluster, plan, annotations, report, signal: stop.signal, alone: true })
  )
  life.onStop(`Original service ${names.join(', ')} recovered`, async () => {
    for (const diversion of diversions) await diversion.release()
    await retireShadows(cluster, { mode: 'narrow', selector: labels, token })
  })
  for (const [i, diversion] of diversions.entries())
    await step(exposing, `Service ${names[i]} leads to this laptop`, () => diversion.begin())
  await scale(exposing, { workload, services: names, token, waitSeconds })
  await sayHow(exposing, workload, ports)
  return {
    banner: `Now all request to ${workload.kind} '${workload.name}' will be redirected to local`,
    exposed: ports.map(port => `${workload.kind} ${workload.name}: ${describe(port)}`),
    lost: Promise.race(diversions.map(({ lost }) => lost))
  }
}

async function scale(
  { report, stop, life, cluster }: Exposing,
  options: Pick<ConstructorParameters<typeof Scaling>[0], 'workload' | 'services' | 'token' | 'waitSeconds'>
): Promise<void> {
  const { workload, waitSeconds } = options
  const scaling = new Scaling({ ...options, cluster, report, signal: stop.signal })
  const name = workloadName(workload)
  life.onStop(`${name} scaled back`, () => scaling.back(), waitSeconds * 1000 + SCALE_BACK_MS)
  await settled() // or a node that has not heard of the shadow yet would send callers to pods that are ending
  await step({ report, stop }, `${name} scaled from ${workload.replicas} to 0`, () => scaling.down())
}

async function sayHow(
  { report, stop, cluster }: Exposing,
  workload: Scalable['workload'],
  ports: CarriedPort[]
): Promise<void> {
  for (const port of ports) report({ event: 'note', text: `${workload.name} ${describe(port)}` })
  for (const text of await describeAutoscalers(cluster, workload, stop.signal)) report({ event: 'note', text })
  report({
    event: 'note',
    text: `Connections that were open to the pods of ${workloadName(workload)} end with them; nobody serves when this laptop is away`
  })
}

const describe = (port: CarriedPort): string =>
  port.local === undefined ? `${port.port}/${port.network} → nobody, it is not exposed` : describeCarried(port)
