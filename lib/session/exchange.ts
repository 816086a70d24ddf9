// `kt exchange`, put together: stuntman, shadow, and only then the service; undone in reverse, the service first.
import { KtError } from '../errors.ts'
import { exchangeRights } from '../kube/access.ts'
import { createStuntman, type Diverting, deleteService, demandFree, planDiversion } from '../kube/exchange.ts'
import { CONFIG_ANNOTATION, EXCHANGE_KEY } from '../kube/names.ts'
import { ownerAnnotations } from '../kube/owner.ts'
import {
  type CarriedPort,
  carriedPorts,
  describePorts,
  parseExpose,
  type ServicePort,
  servicePorts
} from '../kube/ports.ts'
import { findRemains, recoverService } from '../kube/recover.ts'
import { findService, type Target } from '../kube/target.ts'
import { version } from '../version.ts'
import { Diversion } from './diversion.ts'
import {
  beginExposing,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  type ExposingOptions,
  keepBeating,
  lives,
  ownProcess,
  startShadow
} from './exposing.ts'
import type { Report } from './report.ts'
import { runSession, step } from './run.ts'

export interface ExchangeOptions extends ExposingOptions {
  target: Target
  /** As typed; empty: say which ports exist. */
  expose: string
  /** Take a service whose owner has been silent. */
  takeover: boolean
  /** What the local program refuses goes to the original pods. */
  fallback: boolean
}

/** Lead a service to this laptop until `stop` is aborted or it is taken away; then put it back. Rejects with what ended it. */
export async function exchange(options: ExchangeOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, async running => {
    const exposing = await beginExposing(running, options, { name: 'exchange', rights: exchangeRights })
    return await start(exposing, options)
  })
}

async function start(exposing: Exposing, options: ExchangeOptions): Promise<{ lost: Promise<Error> }> {
  const { report, stop, life, cluster, parts, began } = exposing
  const found = await findService(cluster, options.target, stop.signal)
  const name = found.metadata?.name ?? ''
  const free = { takeover: options.takeover, lives, signal: stop.signal }
  const stale = await demandFree(cluster, found, free)
  const before = await planDiversion(cluster, found, stop.signal)
  const ports = chosenPorts(name, servicePorts(found, before.pods), options.expose)
  if (!options.skipPortChecking) await checkLocalPrograms(ports)
  if (stale)
    for (const text of await recoverService(cluster, name, await findRemains(cluster, stop.signal), stop.signal))
      report({ event: 'note', text: `left behind by an earlier exchange: ${text}` })
  const service = stale ? await findService(cluster, { kind: 'service', name }, stop.signal) : found
  const plan = stale ? await planDiversion(cluster, service, stop.signal) : before

  const annotations = ownerAnnotations(ownProcess(), version)
  const stuntman = await step(exposing, 'Stuntman service created', () => createStuntman(cluster, service, annotations))
  life.onStop('Stuntman service removed', () => deleteService(cluster, stuntman))
  keepBeating(exposing, stuntman)
  await startShadow(exposing, {
    prefix: `${name}-kt-exchange`,
    role: 'shadow-exchange',
    labels: { [EXCHANGE_KEY]: plan.token },
    annotations: { ...annotations, [CONFIG_ANNOTATION]: `service=${name}` },
    originals: `${stuntman}.${cluster.namespace}.svc`,
    ports,
    fallback: options.fallback
  })
  const diversion = new Diversion({ cluster, plan, annotations, report, signal: stop.signal })
  life.onStop(`Original service ${name} recovered`, () => diversion.end())
  await step(exposing, `Service ${name} leads to this laptop`, () => diversion.begin())
  sayHow(report, plan, ports)
  parts.exposed = ports.map(port => `service ${name}: ${describeCarried(port)}`)
  report({
    event: 'ready',
    ms: performance.now() - began,
    try: [],
    banner: `Now all request to service '${name}' will be redirected to local`
  })
  return diversion
}

function chosenPorts(service: string, ports: ServicePort[], expose: string): CarriedPort[] {
  if (expose !== '') return carriedPorts(service, ports, parseExpose(expose))
  const [first] = ports
  throw new KtError('KT_USAGE', `--expose is missing; service ${service} has: ${describePorts(ports) || 'no ports'}`, {
    hint: first === undefined ? '' : `for example: kt exchange ${service} --expose ${local(first)}:${first.port}`
  })
}

/** A local port that needs no root, for an example. */
const local = ({ port }: ServicePort): number => (port < 1024 ? port + 8000 : port)

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
    text: 'Connections that are open already stay where they are; new ones come here within a second'
  })
}
