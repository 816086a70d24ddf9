// The flags of `kt up` that ask for a proxy in place of a network device, and `kt env --proxy`.
import { type Command, InvalidArgumentError } from 'commander'
import { KtError } from '../errors.ts'
import { type Shell, shellLines } from '../proxy/environment.ts'
import { askControl } from '../session/control.ts'
import { PROXY_COMMAND } from '../session/proxy.ts'
import { sessions } from '../session/registry.ts'
import type { SessionStatus } from '../session/status.ts'

/** kt-connect's. */
const DEFAULT_PORT = 2223

export interface ProxyFlags {
  socks?: number | true
  http?: number | true
  disableTunDevice?: boolean
  proxyPort?: number
  proxyAddr?: string
}

export function proxyFlags(command: Command): Command {
  return command
    .option('--socks [port]', 'no device and no root: a SOCKS and HTTP proxy on loopback (default port: 2223)', port)
    .option('--http [port]', 'the same, with another port that programs are told for HTTP', port)
    .option('--disableTunDevice', 'the same as --socks')
    .option('--proxyPort <port>', 'port of the proxy (default: 2223)', port)
    .option('--proxyAddr <address>', 'address where the proxy listens (default: loopback, both families)')
}

/** Where a proxy is wanted; undefined: it is not. */
export function proxyWish({
  socks,
  http,
  disableTunDevice,
  proxyPort = DEFAULT_PORT,
  proxyAddr
}: ProxyFlags): { address: string | undefined; socksPort: number; httpPort: number } | undefined {
  if (socks === undefined && http === undefined && !disableTunDevice) return undefined
  const socksPort = typeof socks === 'number' ? socks : proxyPort
  // Written out, loopback is what it is without being written: both families.
  const address = proxyAddr === '127.0.0.1' || proxyAddr === 'localhost' ? undefined : proxyAddr
  return { address, socksPort, httpPort: typeof http === 'number' ? http : socksPort }
}

/** Lines for `eval` that lead the programs of a shell to the proxy of the newest `kt up --socks`, or away from it. Throws KT_NOT_RUNNING. */
export async function proxyEnvironmentLines(shell: Shell, remove: boolean): Promise<string[]> {
  const session = sessions().findLast(({ command }) => command === PROXY_COMMAND)
  if (session === undefined) {
    throw new KtError('KT_NOT_RUNNING', 'kt up --socks does not run here: there is no proxy', {
      hint: 'try: kt up --socks'
    })
  }
  const { environment } = (await askControl(session.socket, 'GET', '/status')) as SessionStatus
  return shellLines(environment, shell, remove)
}

function port(value: string): number {
  const number = Number(value)
  if (!/^\d{1,5}$/.test(value) || number < 1 || number > 0xffff) throw new InvalidArgumentError('a port is expected')
  return number
}
