// `kt mesh --mode manual`, put together: a shadow with the workload's labels or a service of its own, and the rules that lead to
// it, printed or written. No router: Istio, or an implementation of the Gateway API, looks at the requests.
import { dump } from 'js-yaml'
import { KtError } from '../../errors.ts'
import type { Right } from '../../kube/api/api-error.ts'
import type { Service } from '../../kube/api/client.ts'
import { rightsOf } from '../../kube/api/rights.ts'
import {
  applyRules,
  commonLabels,
  createManualServices,
  demandNoRules,
  findFlavours,
  removeRules
} from '../../kube/mesh/manual.ts'
import { conditionsOf } from '../../kube/mesh/match.ts'
import { type Flavour, type RuleObject, type RuleWish, rulesOf, unsayable } from '../../kube/mesh/rules.ts'
import { CONFIG_ANNOTATION, CONTROL_LABEL, meshName, TARGET_LABEL } from '../../kube/names.ts'
import { removePod } from '../../kube/shadow/remove-pod.ts'
import { type Diverting, deleteService, getService, planDiversion } from '../../kube/traffic/exchange.ts'
import { isOurs, ownerAnnotations, ownerOf } from '../../kube/traffic/owner.ts'
import { type CarriedPort, servicePorts } from '../../kube/traffic/ports.ts'
import { previewToken } from '../../kube/traffic/preview.ts'
import { findService } from '../../kube/traffic/target.ts'
import { version } from '../../version.ts'
import type { Report } from '../report.ts'
import { step } from '../run.ts'
import {
  type Begun,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  keepBeating,
  lives,
  ownProcess,
  type Planned,
  runExposing,
  startShadow
} from './exposing.ts'
import { exposedTcpPorts, type MeshOptions } from './mesh.ts'

export interface ManualOptions extends MeshOptions {
  /** Write the rules, and take them away at the end. */
  apply: boolean
}

/** Have a shadow for whoever leads requests, until `stop` is aborted. Rejects with what ended it. */
export async function manualMesh(options: ManualOptions, report: Report, stop: AbortController): Promise<void> {
  const rights = (namespace: string): Right[] => rightsOf('mesh', namespace, `${options.target.kind}/NAME`)
  await runExposing(options, { name: 'mesh', rights, plan: planManual }, report, stop)
}

async function planManual(exposing: Exposing, wish: ManualOptions): Promise<Planned> {
  const planned = await plan(exposing, wish)
  return () => begin(exposing, planned)
}

interface Plan {
  service: Service
  ports: CarriedPort[]
  rules: RuleObject[]
  subsets: RuleWish['subsets']
  labels: Record<string, string>
  apply: boolean
  mark: MeshOptions['mark']
}

async function plan(exposing: Exposing, wish: ManualOptions): Promise<Plan> {
  const { stop, cluster } = exposing
  const match = conditionsOf(wish.mark, wish.matches)
  if (wish.mirror) throw usage('--mirror needs the router of --mode auto')
  const twice = unsayable(match)
  if (twice !== '') throw usage(`--mode manual: the rules can name ${twice} only once`)
  const service = await findService(cluster, wish.target, stop.signal)
  const diverting = await planDiversion(cluster, service, stop.signal)
  const all = servicePorts(service, diverting.pods)
  const ports = exposedTcpPorts(diverting.service, all, wish.expose)
  if (!exposing.options.skipPortChecking) await checkLocalPrograms(ports)
  const flavour = await chosenFlavour(exposing, wish.apply)
  const subsets = flavour === 'istio' ? subsetsOf(diverting, wish.mark) : undefined
  const rules = rulesOf({
    flavour,
    namespace: cluster.namespace,
    service: diverting.service,
    ports: all.filter(port => ports.some(carried => carried.port === port.containerPort)).map(({ port }) => port),
    name: meshName(diverting.service, wish.mark.version),
    match,
    subsets
  })
  if (wish.apply) await demandNoRules(cluster, rules, diverting.service, stop.signal)
  const own = { [wish.mark.header]: wish.mark.version }
  const labels = subsets === undefined ? own : { ...commonLabels(diverting.pods), ...own }
  return { service, ports, rules, subsets, labels, apply: wish.apply, mark: wish.mark }
}

async function chosenFlavour({ cluster, report, stop }: Exposing, apply: boolean): Promise<Flavour> {
  const [flavour] = await findFlavours(cluster, stop.signal)
  if (flavour !== undefined) return flavour
  const text =
    'neither Istio (networking.istio.io/v1) nor the Gateway API (gateway.networking.k8s.io/v1) is in this cluster'
  if (apply) throw new KtError('KT_NOT_FOUND', `--apply: ${text}`, { hint: 'kt mesh --mode auto needs neither' })
  report({ event: 'warning', text: `${text}: the rules that follow are for Istio` })
  return 'istio'
}

/**
 * The shadow may stand behind the service only where its label tells it from every original: else whatever the rules do not
 * name would reach it, too.
 */
function subsetsOf(
  { mode, pods, selector }: Diverting,
  { header: key, version }: MeshOptions['mark']
): RuleWish['subsets'] {
  const original = commonLabels(pods)[key]
  const told = mode === 'narrow' && original !== undefined && original !== version && selector[key] === undefined
  return told ? { key, version, original } : undefined
}

async function begin(
  exposing: Exposing,
  { service, ports, rules, subsets, labels, apply, mark }: Plan
): Promise<Begun> {
  const { report, life, cluster } = exposing
  const target = service.metadata?.name ?? ''
  const name = meshName(target, mark.version)
  const originals = meshName(target, mark.version, '-stuntman')
  const annotations = ownerAnnotations(ownProcess(), version)
  const token = previewToken()
  await removeOurStale(exposing, [name, originals], apply ? rules : [])
  const uid = await step(exposing, `Services ${name} and ${originals} created`, () =>
    createManualServices(cluster, { service, name, originals, token, annotations })
  )
  life.onStop(`Services ${name} and ${originals} removed`, async () => {
    for (const each of [name, originals]) await deleteService(cluster, each)
  })
  for (const each of [name, originals]) keepBeating(exposing, each)
  await startShadow(exposing, {
    prefix: name,
    exactly: true,
    role: 'shadow-mesh',
    labels: { ...labels, [TARGET_LABEL]: token },
    annotations: { ...annotations, [CONFIG_ANNOTATION]: `service=${target},version=${mark.version}` },
    originals: `${originals}.${cluster.namespace}.svc`,
    ports,
    fallback: true
  })
  const text = rules.map(rule => dump(rule, { lineWidth: -1 })).join('---\n')
  if (apply) await applied(exposing, rules, { name, uid })
  else report({ event: 'note', text: `The rules for it, to be applied with kubectl:\n${text}` })
  if (subsets !== undefined && !apply)
    report({
      event: 'warning',
      text: `until then the shadow is one of the pods of service ${target}, and gets its share`
    })
  return {
    banner: `Now you can update Istio rule by label '${mark.header}=${mark.version}'`,
    exposed: ports.map(port => `service ${target}, by hand: ${describeCarried(port)}`),
    lost: new Promise<Error>(() => {})
  }
}

/** What a kt of ours that is dead has left of this version: its shadow, which has the first name, too, its services, its rules. */
async function removeOurStale({ cluster }: Exposing, names: string[], rules: RuleObject[]): Promise<void> {
  const [name = ''] = names
  const found = (await getService(cluster, name))?.metadata
  const owner = ownerOf(found?.annotations)
  if (found?.labels?.[CONTROL_LABEL] !== 'kt' || !isOurs(owner) || lives(owner.process)) return
  await removeRules(cluster, rules)
  await removePod(cluster, name)
  for (const each of names) await deleteService(cluster, each)
}

async function applied(exposing: Exposing, rules: RuleObject[], owner: { name: string; uid: string }): Promise<void> {
  const names = rules.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(' and ')
  exposing.life.onStop(`${names} removed`, () => removeRules(exposing.cluster, rules))
  await step(exposing, `${names} written`, () => applyRules(exposing.cluster, rules, owner))
}

function usage(message: string): KtError {
  return new KtError('KT_USAGE', message)
}
