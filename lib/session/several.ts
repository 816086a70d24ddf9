// Several kt up on one computer: each has a device, addresses and a domain of its own.
import { KtError } from '../errors.ts'
import { SLOTS, type Slot, slotOf } from '../host/slots.ts'
import type { Cluster } from '../kube/api/client.ts'
import type { Device } from '../tun/device.ts'
import { TX_QUEUE_LENGTH } from '../tun/linux.ts'
import type { Facts, Neighbours } from './network/neighbours.ts'
import { platform } from './platform.ts'
import { type SessionState, sessions } from './registry.ts'
import type { Report } from './report.ts'
import type { Running } from './run.ts'

/** The end of all names that are one session's alone: no top-level domain, and no country can get it (ISO 3166-1 has none like it). */
const TOP = 'kt'
/** RFC 1035 §2.3.4. */
const LABEL_MAX = 63

/** Where a session lives on this computer. */
export interface Place {
  slot: Slot
  device: Device
  /** Names below this domain are this session's. */
  suffix: string
}

/** Make the device of the first place that is free, with its addresses; closed with `life`. Throws KtError. */
export async function openPlace({ life, report, stop }: Running, context: string): Promise<Place> {
  stop.signal.throwIfAborted()
  const from = performance.now()
  const { number, device } = await openFree()
  const { addresses } = slotOf(number)
  life.onStop(`Tun device ${device.name} and its routes removed`, () => device.close())
  await platform.configureDevice(device.name, { addresses, mtu: device.mtu, txQueueLength: TX_QUEUE_LENGTH })
  report({ event: 'step', step: `Tun device ${device.name} is ready`, ms: performance.now() - from })
  return { slot: slotOf(number), device, suffix: suffixOf(context, earlier(), number) }
}

/** The kernel gives each device to one process; what has no names of ours has one place. */
async function openFree(): Promise<{ number: number; device: Device }> {
  let failure: unknown
  for (let number = 0; number < (process.platform === 'linux' ? SLOTS : 1); number++) {
    try {
      return { number, device: await platform.openTun(slotOf(number).device) }
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** The domain of a session: its context's name, with the number of its place where an earlier session has the same. Pure. */
export function suffixOf(context: string, before: readonly Pick<SessionState, 'context'>[], number: number): string {
  const label = labelOf(context)
  if (before.every(other => labelOf(other.context) !== label)) return `${label}.${TOP}`
  const tail = `-${number + 1}`
  return `${label.slice(0, LABEL_MAX - tail.length)}${tail}.${TOP}`
}

/** A context's name as a label: what is behind its last slash, with dashes for what a label cannot have. Pure. */
function labelOf(context: string): string {
  const last = context.slice(context.lastIndexOf('/') + 1).toLowerCase()
  const label = last.replaceAll(/[^a-z0-9]+/g, '-').slice(0, LABEL_MAX)
  return label.replaceAll(/^-|-$/g, '') || 'cluster'
}

/** Throws KT_RUNNING if an earlier kt up has this cluster and namespace. */
export function refuseTwin({ contextName, namespace, server }: Cluster): void {
  const twin = earlier().find(
    other => other.context === contextName && other.namespace === namespace && other.server === server.origin
  )
  if (twin !== undefined) throw alreadyRuns(twin)
}

export function alreadyRuns({ pid, context, namespace, since }: SessionState): KtError {
  const message = `kt up already runs here: process ${pid}, context ${context}, namespace ${namespace}, since ${new Date(since).toLocaleString()}`
  return new KtError('KT_RUNNING', message, { hint: 'kt status tells more, kt down ends it' })
}

/** The kt up that were here before this one. */
function earlier(): SessionState[] {
  const all = sessions().filter(({ command }) => command === 'up')
  const own = all.findIndex(({ pid }) => pid === process.pid)
  return own < 0 ? all : all.slice(0, own)
}

/** Say who comes and goes; `moved` is called when the routes of another one are others. */
export function followNeighbours(neighbours: Neighbours, report: Report, moved: () => void): void {
  let known = new Map<number, Facts>()
  let laid = '[]'
  const look = (): void => {
    const { list } = neighbours
    const now = new Map(list.filter(({ ready }) => ready).map(each => [each.pid, each]))
    for (const [pid, { context, device, suffix }] of now)
      if (!known.has(pid))
        report({
          event: 'note',
          text: `another kt runs here: context ${context}, ${device}${suffix === '' ? '' : `; its own names end in ${suffix}`}`
        })
    for (const [pid, { context }] of known)
      if (!now.has(pid)) report({ event: 'note', text: `the kt of context ${context} (process ${pid}) has ended` })
    known = now
    const routes = JSON.stringify(list.map(({ pid, device, ready, outside }) => [pid, device, ready, outside]))
    if (routes === laid) return
    laid = routes
    moved()
  }
  neighbours.listen(look)
  look()
}
