// A session to look at, without a cluster: what it is asked to do, it notes.
import type { StatusView, WorkRow, WorkWish } from '../../lib/dashboard/model.ts'
import type { Shown } from '../../lib/dashboard/shown.ts'
import { KtError } from '../../lib/errors.ts'
import type { FlowFacts } from '../../lib/stack/facts.ts'

export const STATUS: StatusView = {
  ...{ state: 'connected', stateSince: 1_000, detail: '', carriers: [], pod: 'shadow', device: 'kt0' },
  ...{ roundTripMs: 2, bytesIn: 0, bytesOut: 0, connections: 0, flows: 0, routes: [], dns: '' },
  ...{ exposed: [], forwarded: [] }
}

export class FakeSession implements Shown {
  readonly identity = {
    ...{ command: 'up', version: '1', pid: 1, context: 'here', server: 'https://here' },
    namespace: 'demo'
  }
  readonly log = [{ at: 1, event: 'note', text: 'said before' }]
  readonly begun: WorkWish[] = []
  live: FlowFacts[] = []
  ended: ((flow: FlowFacts) => void) | undefined
  asked = 0
  #works: WorkRow[] = []

  status = (): StatusView => STATUS
  flows = (): FlowFacts[] => this.live
  onFlowEnded = (listener: ((flow: FlowFacts) => void) | undefined): void => {
    this.ended = listener
  }
  nameOf = (address: string): string | undefined => (address === '10.96.0.7' ? 'nginx.demo.svc' : undefined)
  services = async () => {
    this.asked++
    return [{ service: 'nginx', state: 'normal', mode: '', ports: ['80/tcp http'], by: [] }]
  }
  works = (): WorkRow[] => this.#works
  begin = async (wish: WorkWish): Promise<WorkRow> => {
    if (wish.service === 'gone') throw new KtError('KT_NOT_FOUND', 'there is no service "gone"', { hint: 'look' })
    this.begun.push(wish)
    const work: WorkRow = {
      ...{ id: '1', kind: wish.kind, service: wish.service, state: 'running', since: 1 },
      exposed: [wish.expose]
    }
    this.#works = [work]
    return work
  }
  giveBack = async (id: string): Promise<boolean> => {
    const found = this.#works.some(work => work.id === id)
    this.#works = this.#works.filter(work => work.id !== id)
    return found
  }
  explain = async (name: string): Promise<unknown> => (name === 'nginx' ? { rcode: 'NOERROR' } : undefined)
}

/** A TCP connection from port `sourcePort` to nginx. */
export function flow(sourcePort: number, more: Partial<FlowFacts> = {}): FlowFacts {
  return {
    ...{ network: 'tcp', source: '198.18.0.1', sourcePort, destination: '10.96.0.7', destinationPort: 80 },
    ...{ sentBytes: 75, receivedBytes: 0, roundTripMs: 1, retransmits: 0, state: 'ESTABLISHED' },
    ...more
  }
}
