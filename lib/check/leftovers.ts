// What dead processes have left, on this computer and in the namespace.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootId, processStart, stateDirectory } from '../host/state.ts'
import type { Cluster, Service } from '../kube/api/client.ts'
import { CONTROL_LABEL } from '../kube/names.ts'
import { describeExpired, findExpired } from '../kube/traffic/clean.ts'
import { findRemains, type Remains } from '../kube/traffic/recover.ts'
import { type Finding, ok, unknown, warning } from './finding.ts'

/** Default of `kt clean`. */
const SILENT_SECONDS = 5 * 60
/** kt-connect gives up a lock after so long. */
const LOCK_SECONDS = 3 * 60
/** Written by kt-connect while it changes a service. */
const LOCK_ANNOTATION = 'kt-lock'
/** Named in one line. */
const NAMED_MAX = 4

/** Journals of processes that are gone: something of this computer is not as it was. */
export function checkJournals(): Finding {
  const directory = stateDirectory('journal')
  const left = readdirSync(directory).filter(name => name.endsWith('.journal') && !lives(join(directory, name)))
  if (left.length === 0) return ok('leftovers', 'nothing is left of an earlier kt on this computer')
  const text = `an earlier kt has ended without putting this computer back (${left.join(', ')})`
  return warning('leftovers', text, 'sudo kt down puts it back; so does the next kt up')
}

function lives(path: string): boolean {
  try {
    const [first = ''] = readFileSync(path, 'utf8').split('\n')
    const { owner } = JSON.parse(first) as { owner?: { pid: number; started: string; boot: string } }
    return owner !== undefined && owner.boot === bootId() && processStart(owner.pid) === owner.started
  } catch {
    return true // half written, or gone meanwhile: it tells of no change
  }
}

/** Objects in the namespace that nobody keeps alive, locks that nobody gives back, and other people's kt-connect. */
export async function checkRemains(cluster: Cluster, signal: AbortSignal): Promise<Finding[]> {
  let remains: Remains
  try {
    remains = await findRemains(cluster, signal)
  } catch {
    return [unknown('remains', `what is left in namespace ${cluster.namespace} may not be listed`)]
  }
  return [expiredFinding(remains, cluster), lockFinding(remains), oldFinding(remains)]
}

function expiredFinding(remains: Remains, { namespace }: Cluster): Finding {
  const expired = findExpired(remains, SILENT_SECONDS)
  const lines = describeExpired(expired).map(line => line.replace(/ would be (put back|removed)$/, ''))
  if (lines.length === 0) return ok('remains', `nothing is left of anybody's kt in namespace ${namespace}`)
  const text = `silent for more than ${SILENT_SECONDS / 60} min: ${enumerate(lines)}`
  return warning('remains', text, `kt clean -n ${namespace} puts services back and removes the rest`)
}

function lockFinding({ services }: Remains): Finding {
  const locked = services.filter(service => lockAge(service) > LOCK_SECONDS).map(nameOf)
  if (locked.length === 0) return ok('locks', 'no service is locked by a kt-connect that is gone')
  const fix = locked.map(name => `kt recover ${name}`).join('; ')
  return warning('locks', `locked by a kt-connect that is gone: ${enumerate(locked)}`, fix)
}

function lockAge({ metadata }: Service): number {
  const since = Number(metadata?.annotations?.[LOCK_ANNOTATION])
  return Number.isFinite(since) && since > 0 ? Date.now() / 1000 - since : 0
}

/** What kt makes says on which computer, or that no mesh of services is to touch it; kt-connect's objects say neither. */
function oldFinding({ pods, services }: Remains): Finding {
  const made = [...pods, ...services].filter(({ metadata }) => metadata?.labels?.[CONTROL_LABEL] === 'kt')
  const old = made.filter(
    ({ metadata }) =>
      metadata?.annotations?.['kt-host'] === undefined &&
      metadata?.annotations?.['linkerd.io/inject'] === undefined &&
      metadata?.annotations?.['kt-user'] !== undefined
  )
  if (old.length === 0) return ok('kt-connect', 'nobody uses kt-connect here')
  const users = [...new Set(old.map(({ metadata }) => metadata?.annotations?.['kt-user'] ?? ''))]
  return warning(
    'kt-connect',
    `objects of kt-connect: ${enumerate(old.map(nameOf))} (${users.join(', ')})`,
    'both get along; kt recover SERVICE undoes an exchange of kt-connect, kt clean removes what is abandoned'
  )
}

const nameOf = ({ metadata }: { metadata?: { name?: string } }): string => metadata?.name ?? ''

function enumerate(names: string[]): string {
  const more = names.length - NAMED_MAX
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
