// The network of one cluster: a namespace each for the control plane, the laptop and the nodes, joined by veth pairs.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.ts'
import { lanPrefixLength, MOST_NODES, type NodeSettings, type Settings } from './settings.ts'

/** Build all of it. Nothing of an earlier cluster with this id may be left. */
export async function makeNetworks(settings: Settings): Promise<void> {
  const { prefix, controlPlane, laptop, nodeList } = settings
  await ip(
    undefined,
    [controlPlane, laptop, ...nodeList.map(node => node.netns)].map(name => `netns add ${name}`)
  )
  await ip(undefined, [
    `link add ${prefix}-host type veth peer name host0 netns ${controlPlane}`,
    `addr add ${settings.hostAddress}/30 dev ${prefix}-host`,
    `link set ${prefix}-host up`
  ])
  await ip(controlPlane, controlPlaneLinks(settings))
  await Promise.all([makeLaptop(settings), ...nodeList.map(node => makeNode(settings, node))])
  await ip(
    controlPlane,
    nodeList.flatMap(node => podRoutes(node))
  )
}

function controlPlaneLinks(settings: Settings): string[] {
  return [
    'link set lo up',
    `addr add ${settings.apiAddress}/30 dev host0`,
    'link set host0 up',
    `link add lap0 type veth peer name eth0 netns ${settings.laptop}`,
    `addr add ${settings.laptopGateway}/30 dev lap0`,
    'link set lap0 up',
    'link add lan0 type bridge',
    ...settings.lanAddresses.map(address => addAddress(address, 'lan0')),
    'link set lan0 up',
    ...settings.nodeList.flatMap(({ name, netns }) => [
      `link add ${name} type veth peer name eth0 netns ${netns}`,
      `link set ${name} master lan0 up`
    ])
  ]
}

/** The laptop reaches the API server and its company's DNS; it has no default route. */
async function makeLaptop(settings: Settings): Promise<void> {
  const { laptop, laptopAddress, laptopGateway, apiAddress } = settings
  await ip(laptop, [
    'link set lo up',
    `addr add ${laptopAddress}/30 dev eth0`,
    'link set eth0 up',
    `route add ${apiAddress}/32 via ${laptopGateway}`
  ])
  mkdirSync(laptopEtc(settings), { recursive: true }) // `ip netns exec` binds what is in here over /etc
  writeFileSync(join(laptopEtc(settings), 'resolv.conf'), `nameserver ${laptopGateway}\n`)
}

async function makeNode(settings: Settings, node: NodeSettings): Promise<void> {
  const others = settings.nodeList.filter(other => other !== node)
  const sysctls = ['net/ipv4/ip_forward', 'net/bridge/bridge-nf-call-iptables']
  if (settings.dualStack) sysctls.push('net/ipv6/conf/all/forwarding', 'net/bridge/bridge-nf-call-ip6tables')
  const set = sysctls.map(name => `[ ! -e /proc/sys/${name} ] || echo 1 > /proc/sys/${name}`)
  await run('nsenter', [`--net=/run/netns/${node.netns}`, 'sh', '-c', set.join('\n')])
  await ip(node.netns, [
    'link set lo up',
    ...node.addresses.map(address => addAddress(address, 'eth0')),
    'link set eth0 up',
    ...settings.lanAddresses.map(address => `route add default via ${address}`),
    ...others.flatMap(other => podRoutes(other))
  ])
}

/** Routes to the pods of a node, for the others. */
function podRoutes(node: NodeSettings): string[] {
  return node.podRanges.map((range, family) => `route add ${range} via ${node.addresses[family]}`)
}

/** `nodad`: an address that is still being checked for duplicates cannot be listened on. */
function addAddress(address: string, device: string): string {
  return `addr add ${address}/${lanPrefixLength(address)} dev ${device}${address.includes(':') ? ' nodad' : ''}`
}

/** Remove all of it, and whatever of it an interrupted `up` has left. */
export async function removeNetworks(settings: Settings): Promise<void> {
  const there = await networkNamespaces()
  const nodes = Array.from({ length: MOST_NODES }, (_, index) => `${settings.prefix}-n${index + 1}`)
  const ours = [settings.controlPlane, settings.laptop, ...nodes].filter(name => there.includes(name))
  for (const name of ours) await run('ip', ['netns', 'del', name])
  rmSync(laptopEtc(settings), { recursive: true, force: true })
  // The namespace takes its ends of the pairs with it, but only once the last process in it is gone: ours goes now.
  await run('ip', ['link', 'del', `${settings.prefix}-host`]).catch(() => {})
}

/** Names of the machine's network namespaces. */
export async function networkNamespaces(): Promise<string[]> {
  return [...(await run('ip', ['netns', 'list'])).matchAll(/^\S+/gm)].map(([name]) => name)
}

function laptopEtc(settings: Settings): string {
  return `/etc/netns/${settings.laptop}`
}

/** Commands of `ip`, one process for all of them, in a namespace or in the machine's own. */
async function ip(netns: string | undefined, commands: string[]): Promise<void> {
  // `route add` of a batch takes its family from the address.
  await run('ip', [...(netns ? ['-n', netns] : []), '-batch', '-'], { input: `${commands.join('\n')}\n` })
}
