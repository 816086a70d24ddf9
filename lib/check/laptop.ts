// What must be true of this computer: looked at, never changed.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { namespaceObstacle } from '../host/namespace-linux.ts'
import { parseResolvConf } from '../host/resolv-conf.ts'
import { RESOLV_CONF, readResolvConf } from '../host/resolv-conf-file.ts'
import { laptopUpstreams } from '../host/resolver-linux.ts'
import { localNetworks } from '../host/routes-linux.ts'
import { run } from '../host/run.ts'
import { isKtDevice } from '../host/slots.ts'
import { usesResolved } from '../host/systemd-resolved.ts'
import { platform } from '../session/platform.ts'
import { sessions } from '../session/registry.ts'
import { checkElsewhere, checkOthersRoutes } from './elsewhere.ts'
import { type Finding, fault, faultOf, ok, unknown, warning } from './finding.ts'

/** `engines` of package.json: [major, the first minor that can]. */
const NODES = [
  [22, 20],
  [24, 12]
] as const
/** capabilities(7). */
const CAP_NET_ADMIN = 12
const TUN = '/dev/net/tun'
/** The device of `kt up`. */
const DEVICE = 'kt0'

/** Node, system, rights with and without root, TUN, `ip`, resolver, another kt. */
export async function checkLaptop(): Promise<Finding[]> {
  if (platform.name !== 'Linux')
    return [nodeFinding(process.versions.node), ...(await checkElsewhere()), runningFinding()]
  return [
    nodeFinding(process.versions.node),
    ok('system', `linux ${process.arch}`),
    rightsFinding(),
    await shellFinding(),
    tunFinding(),
    await toolFinding(),
    await resolverFinding(),
    runningFinding()
  ]
}

/** Is Node new enough to run kt from its sources and from its package? */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const able = NODES.some(([first, least]) => major === first && minor >= least) || major > 24
  return able
    ? ok('node', `Node ${version}`)
    : fault('node', `Node ${version} is too old or between versions`, 'install Node ^22.20 or ≥ 24.12')
}

function rightsFinding(): Finding {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(text('/proc/self/status'))?.[1] ?? '0'}`)
  const admin = (effective >> BigInt(CAP_NET_ADMIN)) & 1n
  if (process.getuid?.() === 0 && admin === 1n) return ok('rights', 'root, with the right to change the network')
  if (process.getuid?.() === 0)
    return fault('rights', 'root without CAP_NET_ADMIN: a container that may not change its network', NET_ADMIN)
  return fault('rights', 'kt up must be root to make a network device', NO_ROOT)
}

const NET_ADMIN = 'docker run --cap-add NET_ADMIN --device /dev/net/tun'
const NO_ROOT = 'sudo kt up; without root: kt shell, kt up --socks, kt forward, kt exchange, kt preview'

/** Would kt shell work, for which nobody must be root? */
async function shellFinding(): Promise<Finding> {
  try {
    const obstacle = await namespaceObstacle()
    if (obstacle === undefined) return ok('shell', 'kt shell: users may make network namespaces of their own')
    return warning('shell', `kt shell: ${obstacle.text}`, obstacle.fix)
  } catch (error) {
    return faultOf('shell', error)
  }
}

function tunFinding(): Finding {
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK)
  } catch {
    const fix = 'modprobe tun; in a container: --device /dev/net/tun --cap-add NET_ADMIN'
    return fault('tun', `${TUN} is not there or may not be opened`, fix)
  }
  const held = existsSync(`/sys/class/net/${DEVICE}`) && !sessions().some(({ command }) => command === 'up')
  if (!held) return ok('tun', TUN)
  return fault('tun', `a device ${DEVICE} is there, and no kt that it belongs to`, `sudo ip link delete ${DEVICE}`)
}

async function toolFinding(): Promise<Finding> {
  try {
    const { ok: works, stdout, stderr } = await run('ip', ['-V'])
    if (works) return ok('ip', stdout.trim() || 'ip is there')
    return fault('ip', `ip -V: ${stderr.split('\n')[0]}`, 'install iproute2')
  } catch (error) {
    return faultOf('ip', error)
  }
}

async function resolverFinding(): Promise<Finding> {
  try {
    const file = await readResolvConf()
    const contents = file.kind === 'missing' ? '' : file.text
    if (contents.includes('KtConnect'))
      return warning(
        'resolver',
        `${RESOLV_CONF} still has lines of kt-connect`,
        `remove the lines with "KtConnect" from ${RESOLV_CONF}, or: ktctl clean --localOnly`
      )
    const resolved = await usesResolved(contents)
    const servers = await laptopUpstreams()
    if (!resolved && parseResolvConf(contents).nameservers.length === 0)
      return warning('resolver', 'no name server is set: programs ask 127.0.0.1', `add one to ${RESOLV_CONF}`)
    if (resolved) return ok('resolver', `systemd-resolved, which asks ${servers.join(', ')}`)
    if (process.getuid?.() === 0) accessSync(RESOLV_CONF, constants.W_OK)
    return ok('resolver', `${RESOLV_CONF}, which names ${servers.join(', ')}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) return faultOf('resolver', error)
    return fault('resolver', `${RESOLV_CONF} may not be written`, 'kt up --dnsMode none, or --dnsMode hosts')
  }
}

/** Another one takes the next device; only systems where devices have no names of ours have room for one. */
function runningFinding(): Finding {
  const running = sessions().filter(({ command }) => command === 'up')
  if (running.length === 0) return ok('running', 'no other kt up runs here')
  const which = running.map(({ pid, context }) => `process ${pid}, context ${context}`).join('; ')
  if (platform.name === 'Linux') return ok('running', `kt up runs here already (${which}): another one works beside it`)
  return fault('running', `kt up already runs here: ${which}`, 'kt status tells more, kt down ends it')
}

/** Devices of other tunnels: a warning only where they overlap with the cluster, which `checkRoutes` tells. */
export async function checkTunnels(): Promise<Finding> {
  if (platform.name !== 'Linux') return checkOthersRoutes()
  const { ok: works, stdout } = await run('ip', ['-json', '-details', 'link', 'show'])
  if (!works) return unknown('vpn', 'the links of this computer cannot be listed')
  const links = JSON.parse(stdout || '[]') as { ifname: string; linkinfo?: { info_kind?: string } }[]
  const tunnels = links.filter(
    ({ ifname, linkinfo }) => !isKtDevice(ifname) && /^(tun|wireguard|ppp|ipip|vti)/.test(linkinfo?.info_kind ?? '')
  )
  if (tunnels.length === 0) return ok('vpn', 'no other tunnel')
  const names = tunnels.map(({ ifname, linkinfo }) => `${ifname} (${linkinfo?.info_kind})`)
  const { routes } = await localNetworks(DEVICE)
  const routed = routes.filter(({ device }) => tunnels.some(({ ifname }) => ifname === device)).map(({ cidr }) => cidr)
  return ok(
    'vpn',
    `other tunnels: ${names.join(', ')}${routed.length === 0 ? '' : `, which route ${routed.join(', ')}`}`
  )
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
