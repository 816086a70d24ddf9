// A running session shows itself: state file and control socket, for `kt status`, `kt down` and a second `kt up`.
import { giveToInvoker, networkNamespace, processStart } from '../../host/state.ts'
import type { Cluster } from '../../kube/api/client.ts'
import { version } from '../../version.ts'
import { type Control, serveControl } from '../control.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { register, socketPath } from '../registry.ts'
import type { SessionStatus } from '../status.ts'

export interface Presence {
  cluster: Cluster
  /** Log file, or empty. */
  log: string
  /** `up`, `exchange`, `preview`, `forward`. */
  command: string
  status(): SessionStatus
  explain: Control['explain']
  capture: Control['capture']
  dashboard: Control['dashboard']
  stop(): void
  neighbour: NonNullable<Control['neighbour']>
}

/** Write the state file and open the control socket, until `life` ends. */
export async function announce(
  life: Lifecycle,
  { cluster, log, command, status, explain, capture, dashboard, stop, neighbour }: Presence
): Promise<void> {
  const socket = socketPath(process.pid)
  const close = await serveControl(socket, { status, explain, capture, dashboard, stop, neighbour })
  giveToInvoker(socket) // `sudo kt up`, then `kt status` without sudo
  const unregister = register({
    pid: process.pid,
    started: processStart(process.pid) ?? '',
    network: networkNamespace(),
    command,
    version,
    context: cluster.contextName,
    server: cluster.server.origin,
    namespace: cluster.namespace,
    since: Date.now(),
    socket,
    log
  })
  life.onStop('', () => {
    unregister()
    close()
  })
}
