// `kt preview`, put together: a shadow, and a new service that leads to it.
import { KtError } from '../errors.ts'
import { previewRights } from '../kube/access.ts'
import { deleteService, getService } from '../kube/exchange.ts'
import { CONFIG_ANNOTATION, TARGET_LABEL } from '../kube/names.ts'
import { describeOwner, ownerAnnotations, ownerOf } from '../kube/owner.ts'
import { parseExpose, previewPorts } from '../kube/ports.ts'
import { createPreview, previewToken } from '../kube/preview.ts'
import { version } from '../version.ts'
import {
  beginExposing,
  checkLocalPrograms,
  describeCarried,
  type ExposingOptions,
  keepBeating,
  ownProcess,
  startShadow
} from './exposing.ts'
import type { Report } from './report.ts'
import { runSession, step } from './run.ts'

export interface PreviewOptions extends ExposingOptions {
  name: string
  expose: string
  /** Reachable from outside, by a load balancer of the cluster. */
  external: boolean
}

/** Offer local programs to the cluster as service `name` until `stop` is aborted; then take it away. */
export async function preview(options: PreviewOptions, report: Report, stop: AbortController): Promise<void> {
  await runSession(report, stop, async running => {
    const ports = previewPorts(parseExpose(options.expose))
    const exposing = await beginExposing(running, options, { name: 'preview', rights: previewRights })
    const { life, cluster, parts, began } = exposing
    const { name, external } = options
    const taken = await getService(cluster, name, stop.signal)
    if (taken !== undefined) throw nameTaken(name, taken.metadata)
    if (!options.skipPortChecking) await checkLocalPrograms(ports)

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
    parts.exposed = ports.map(port => `service ${name}: ${describeCarried(port)}`)
    for (const port of ports) report({ event: 'note', text: `${name} ${describeCarried(port)}` })
    report({
      event: 'ready',
      ms: performance.now() - began,
      try: [],
      banner: `Now you can access your local service in cluster by name '${name}'`
    })
    return { lost: new Promise<Error>(() => {}) } // a preview is nobody else's: it ends when its owner wants
  })
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
