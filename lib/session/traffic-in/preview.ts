// `kt preview`, put together: a shadow, and a new service that leads to it.
import { KtError } from '../../errors.ts'
import type { Right } from '../../kube/api/api-error.ts'
import { rightsOf } from '../../kube/api/rights.ts'
import { CONFIG_ANNOTATION, TARGET_LABEL } from '../../kube/names.ts'
import { deleteService, getService } from '../../kube/traffic/exchange.ts'
import { describeOwner, ownerAnnotations, ownerOf } from '../../kube/traffic/owner.ts'
import { type CarriedPort, parseExpose, previewPorts } from '../../kube/traffic/ports.ts'
import { createPreview, previewToken, watchOutside } from '../../kube/traffic/preview.ts'
import { version } from '../../version.ts'
import type { Report } from '../report.ts'
import { step } from '../run.ts'
import {
  type Begun,
  checkLocalPrograms,
  describeCarried,
  type Exposing,
  type ExposingOptions,
  keepBeating,
  ownProcess,
  type Planned,
  runExposing,
  startShadow
} from './exposing.ts'

/** One service that is to be made. */
export interface PreviewWish {
  name: string
  expose: string
  /** Reachable from outside, by a load balancer of the cluster. */
  external: boolean
}

export interface PreviewOptions extends ExposingOptions, PreviewWish {}

/** Offer local programs to the cluster as service `name` until `stop` is aborted; then take it away. */
export async function preview(options: PreviewOptions, report: Report, stop: AbortController): Promise<void> {
  const command = { name: 'preview', rights: previewRights(options), plan: planPreview }
  await runExposing(options, command, report, stop)
}

/** What this preview cannot do without. */
export function previewRights({ external }: PreviewWish): (namespace: string) => Right[] {
  return namespace => rightsOf('preview', namespace, ...(external ? ['--external'] : []))
}

/** Look at everything that can be in the way; throws KtError. */
export async function planPreview(exposing: Exposing, wish: PreviewWish): Promise<Planned> {
  const ports = previewPorts(parseExpose(wish.expose))
  const taken = await getService(exposing.cluster, wish.name, exposing.stop.signal)
  if (taken !== undefined) throw nameTaken(wish.name, taken.metadata)
  if (!exposing.options.skipPortChecking) await checkLocalPrograms(ports)
  return () => begin(exposing, wish, ports)
}

async function begin(exposing: Exposing, { name, external }: PreviewWish, ports: CarriedPort[]): Promise<Begun> {
  const { report, stop, life, cluster } = exposing
  const annotations = { ...ownerAnnotations(ownProcess(), version), [CONFIG_ANNOTATION]: `service=${name}` }
  const token = previewToken()
  await startShadow(exposing, {
    prefix: `${name}-kt`,
    role: 'shadow-preview',
    labels: { [TARGET_LABEL]: token },
    annotations,
    originals: '',
    ports,
    fallback: false
  })
  const description = { name, token, annotations, ports, external }
  await step(exposing, `Service ${name} created`, () => createPreview(cluster, description))
  life.onStop(`Service ${name} removed`, () => deleteService(cluster, name))
  keepBeating(exposing, name)
  for (const port of ports) report({ event: 'note', text: `${name} ${describeCarried(port)}` })
  if (external)
    await watchOutside(cluster, name, stop.signal, addresses => {
      report({ event: 'note', text: `from outside: ${addresses.join(', ')}` })
    })
  return {
    banner: `Now you can access your local service in cluster by name '${name}'`,
    exposed: ports.map(port => `service ${name}: ${describeCarried(port)}`),
    lost: new Promise<Error>(() => {}) // a preview is nobody else's: it ends when its owner wants
  }
}

function nameTaken(
  name: string,
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> } = {}
): KtError {
  const whose = metadata.labels?.['control-by'] === 'kt' ? ` of ${describeOwner(ownerOf(metadata.annotations))}` : ''
  return new KtError('KT_CONFLICT', `there is a service '${name}' already${whose}; nothing has been changed`, {
    hint: `choose another name, or take it over: kt exchange ${name} --expose PORTS`
  })
}
