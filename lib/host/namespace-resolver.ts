// Programs in a namespace of their own ask our resolver; those outside, theirs as before.
import { readFile } from 'node:fs/promises'
import { watchFile } from './file-watch.ts'
import type { Namespace } from './namespace-linux.ts'
import { withoutHostsModule } from './nsswitch.ts'
import { hostDomain, nameServers } from './pointed-file.ts'
import { type Ours, withOurs } from './resolv-conf.ts'
import { RESOLV_CONF, readResolvConf } from './resolv-conf-file.ts'

const NSSWITCH = '/etc/nsswitch.conf'
/** Asks systemd-resolved by a socket in the file system, which leads out of the namespace. */
const RESOLVED_MODULE = 'resolve'

export interface PointNamespaceOptions {
  namespace: Namespace
  ours: Ours
  /** Who answers other names outside: told once at the beginning, and whenever another program has written resolv.conf. */
  onUpstreams(upstreams: string[]): void
  /** One line for the user. */
  note(line: string): void
}

/** Throws KT_RESOLVER. The result ends it: the namespace itself keeps what it has. */
export async function pointNamespace({
  namespace,
  ours,
  onUpstreams,
  note
}: PointNamespaceOptions): Promise<() => void> {
  const point = async (): Promise<void> => {
    const found = await readResolvConf()
    const text = found.kind === 'missing' ? '' : found.text
    const files = new Map([[RESOLV_CONF, withOurs(text, ours, { alone: true, impliedSearch: hostDomain() })]])
    const services = await readFile(NSSWITCH, 'latin1').catch(() => '') // musl has none
    const changed = withoutHostsModule(services, RESOLVED_MODULE)
    if (changed !== services) files.set(NSSWITCH, changed)
    await namespace.cover(files)
    onUpstreams(nameServers(text))
  }
  await point()
  let queue = Promise.resolve()
  return watchFile(RESOLV_CONF, () => {
    queue = queue.then(point).catch((error: Error) => note(`${RESOLV_CONF} was written: ${error.message}`))
  })
}
