// What kt could change, as text: the laptop's network and resolver, every object of the cluster. Two are compared line by line.
import { kubectl } from '../../_support/kubectl.ts'
import { succeed } from './program.ts'

/** All that kt could have changed. */
export interface Snapshots {
  laptop: string[]
  cluster: string[]
}

/** Both at this moment. */
export async function snapshots(): Promise<Snapshots> {
  return { laptop: await laptopSnapshot(), cluster: await clusterSnapshot() }
}

/** Lines that only the first or only the second has; both are empty when nothing has changed. */
export function difference(before: readonly string[], after: readonly string[]): { gone: string[]; come: string[] } {
  const [had, has] = [new Set(before), new Set(after)]
  return { gone: before.filter(line => !has.has(line)), come: after.filter(line => !had.has(line)) }
}

/** Kinds that change by themselves all the time. */
const RESTLESS = /^(events(\..*)?|leases\..*|componentstatuses|.*\.metrics\.k8s\.io)$/

const COMMANDS = [
  'ip -4 route show table all',
  'ip -6 route show table all',
  'ip -4 rule',
  'ip -6 rule',
  'ip -o link show',
  'ip -o address show',
  'stat -L -c "%a %u %g %s" /etc/resolv.conf',
  'base64 -w0 /etc/resolv.conf; echo',
  'sha256sum /etc/hosts /etc/nsswitch.conf',
  'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv6/conf/*/disable_ipv6',
  'nft list ruleset'
]
/** The machine's own tools: a folder of node_modules in PATH may hold another `nft`. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** One line for each fact about the laptop's network, rules, links, firewall and resolver. */
export async function laptopSnapshot(): Promise<string[]> {
  const script = COMMANDS.map(command => `echo '# ${command}'; ${command}`).join('\n')
  return (await succeed({}, 'sh', '-c', `PATH=${PATH}\n${script}`))
    .split('\n')
    .map(line => line.replace(/ (expires|valid_lft|preferred_lft) \d+sec/g, '').trim())
    .filter(line => line !== '')
}

interface KubeObject {
  kind: string
  metadata: Record<string, unknown> & { name: string; namespace?: string }
  status?: unknown
}

/** One line for each object of every kind in every namespace, without versions and what nodes report about themselves. */
export async function clusterSnapshot(): Promise<string[]> {
  kinds ??= await lastingKinds()
  const { items } = JSON.parse(await kubectl(['get', kinds, '-A', '-o', 'json'])) as { items: KubeObject[] }
  return items.map(describe).sort((a, b) => a.localeCompare(b))
}

/** Asked once: kt makes no new kinds. */
let kinds: string | undefined

async function lastingKinds(): Promise<string> {
  const names = (await kubectl(['api-resources', '--verbs=list', '-o', 'name'])).split('\n').filter(Boolean)
  return names.filter(name => !RESTLESS.test(name)).join(',')
}

function describe(object: KubeObject): string {
  const { resourceVersion: _version, managedFields: _fields, ...metadata } = object.metadata
  const rest = object.kind === 'Node' ? { ...object, status: undefined } : object
  const name = `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`
  return `${name} ${JSON.stringify({ ...rest, metadata })}`
}
