// Hands on the built-in cluster: its processes, the laptop's packets and addresses.
import { readdirSync, readFileSync } from 'node:fs'
import { existingCluster } from '../cluster/existing.ts'
import { run } from '../cluster/run.ts'
import { cacheDirectory, type Settings } from '../cluster/settings.ts'
import { CLUSTERS } from '../e2e/_support/areas.ts'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { laptop } from '../e2e/_support/laptop.ts'

/** Of the cluster that the tests use. */
export function settings(): Settings {
  return existingCluster(CLUSTERS.main.id, cacheDirectory(process.env))
}

/** The network namespace of a node, by its name in the cluster. */
export function nodeNetwork(name: string): string {
  const node = settings().nodeList.find(each => each.name === name)
  if (node === undefined) throw new Error(`there is no node ${name}`)
  return node.netns
}

/** Kill the process with this name in a network namespace of the cluster; its keeper starts it again. */
export async function killIn(netns: string, name: string): Promise<void> {
  const ids = (await run('ip', ['netns', 'pids', netns])).split('\n').filter(Boolean).map(Number)
  const found = ids.filter(pid => read(`/proc/${pid}/comm`).trim() === name.slice(0, 15))
  if (found.length === 0) throw new Error(`no ${name} in ${netns}`)
  for (const pid of found) process.kill(pid, 'SIGKILL')
}

/** The processes `node` in a pod, by the pod's UID: on this machine, under their ids here. */
export function agentsOf(uid: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => read(`/proc/${pid}/cgroup`).includes(`pod${uid}`) && read(`/proc/${pid}/comm`).trim() === 'node')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has just ended, or is no process
  }
}

/** A pod that kt has made. */
export interface KtPod {
  name: string
  uid: string
  node: string
}

/** Those that are there. */
export async function podsOfKt(): Promise<KtPod[]> {
  const { items } = JSON.parse(await kubectl(['-n', 'demo', 'get', 'pods', '-l', 'control-by=kt', '-o', 'json'])) as {
    items: { metadata: { name: string; uid: string }; spec: { nodeName: string } }[]
  }
  return items.map(({ metadata, spec }) => ({ ...metadata, node: spec.nodeName }))
}

/** Rules of the laptop's packet filter for what is sent to the API server. `REJECT` answers with RST: that ends a connection. */
const VERDICTS = { drop: ['DROP'], reset: ['REJECT', '--reject-with', 'tcp-reset'] } as const

/** Do that to packets to the API server until the result is called. */
export async function blockServer(verdict: keyof typeof VERDICTS): Promise<() => Promise<void>> {
  const rule = ['OUTPUT', '-p', 'tcp', '-d', settings().apiAddress, '--dport', '6443', '-j', ...VERDICTS[verdict]]
  await onLaptop('iptables', '-w', '-I', ...rule)
  return () => onLaptop('iptables', '-w', '-D', ...rule)
}

/** Run a program on the laptop; throws what it says when it fails. */
export async function onLaptop(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await laptop(command, args)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

/** The laptop's second address and the way from it: TEST-NET-2 of RFC 5737. */
const OTHER = { laptop: '198.51.100.2', gateway: '198.51.100.1' }

/** As in another wireless network: the address goes, another one comes. The result undoes it. */
export async function changeAddress(): Promise<() => Promise<void>> {
  const { controlPlane, laptopAddress, laptopGateway, apiAddress } = settings()
  await run('ip', ['-n', controlPlane, 'addr', 'add', `${OTHER.gateway}/30`, 'dev', 'lap0'])
  await onLaptop('ip', 'addr', 'del', `${laptopAddress}/30`, 'dev', 'eth0')
  await onLaptop('ip', 'addr', 'add', `${OTHER.laptop}/30`, 'dev', 'eth0')
  for (const address of [apiAddress, laptopGateway])
    await onLaptop('ip', 'route', 'replace', `${address}/32`, 'via', OTHER.gateway)
  return async () => {
    await onLaptop('ip', 'route', 'del', `${laptopGateway}/32`)
    await onLaptop('ip', 'addr', 'del', `${OTHER.laptop}/30`, 'dev', 'eth0')
    await onLaptop('ip', 'addr', 'add', `${laptopAddress}/30`, 'dev', 'eth0')
    await onLaptop('ip', 'route', 'replace', `${apiAddress}/32`, 'via', laptopGateway)
    await run('ip', ['-n', controlPlane, 'addr', 'del', `${OTHER.gateway}/30`, 'dev', 'lap0'])
  }
}
