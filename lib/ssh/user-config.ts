// What the user's ssh would do to reach a host: OpenSSH itself is asked (`ssh -G`), so that his configuration means here what it means there.
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { KtError } from '../errors.ts'
import { run } from '../host/run.ts'
import { invokerHome } from '../host/state.ts'

const DEFAULT_PORT = 22
const IDENTITIES = ['id_rsa', 'id_ecdsa', 'id_ed25519']

/** `--via`, as it was typed. */
export interface Via {
  /** A host, or a name of the ssh configuration. */
  host: string
  port: number | undefined
  user: string | undefined
}

export interface UserConfig {
  host: string
  port: number
  user: string
  /** Under which known_hosts has it; undefined: under its own name. */
  alias: string | undefined
  /** Paths; some may not exist. */
  identityFiles: string[]
  /** Of an ssh-agent's socket. */
  agent: string | undefined
  /** Of the agent's keys only those that `identityFiles` name. */
  identitiesOnly: boolean
  knownHostsFiles: string[]
}

/** `ssh://user@host:port`; all but the host may be left out. Throws KT_USAGE. */
export function parseVia(text: string): Via {
  const url = text.includes('://') ? text : `ssh://${text}`
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const host = parsed?.hostname.replace(/^\[|\]$/g, '') ?? ''
  // A host that begins with - would be a flag of ssh.
  if (
    parsed?.protocol !== 'ssh:' ||
    !/^[\w:][\w.:-]*$/.test(host) ||
    parsed.password !== '' ||
    !/^\/?$/.test(parsed.pathname)
  )
    throw new KtError('KT_USAGE', `--via: "${text}" is no jump host`, { hint: 'for example --via ssh://me@bastion:22' })
  return {
    host,
    port: parsed.port === '' ? undefined : Number(parsed.port),
    user: parsed.username === '' ? undefined : decodeURIComponent(parsed.username)
  }
}

/** For the user whose home directory that is; without OpenSSH its defaults. Throws KT_JUMP_HOST for a host that is itself behind another one. */
export async function userConfig(via: Via, home = invokerHome()): Promise<UserConfig> {
  const said = await ask(via, home)
  const get = (key: string): string | undefined => said.get(key)?.[0]
  const ways = [get('proxyjump'), get('proxycommand')].filter(way => way !== undefined && way !== 'none')
  if (ways.length > 0)
    throw new KtError(
      'KT_JUMP_HOST',
      `the ssh configuration reaches ${via.host} by another host or a program: ${ways[0]}`,
      {
        hint: 'kt goes by one jump host, and straight to that'
      }
    )
  const host = get('hostname') ?? via.host
  const user = via.user ?? ownName(get('user'))
  const port = via.port ?? Number(get('port') ?? DEFAULT_PORT)
  const tokens: Record<string, string> = { d: home, h: host, r: user, u: ownName(undefined), '%': '%' }
  const path = (text: string): string =>
    below(
      home,
      text.replace(/^"|"$/g, '').replace(/%([dhru%])/g, (_, token: string) => tokens[token]!)
    )
  const files = (...keys: string[]): string[] => keys.flatMap(key => get(key)?.split(' ') ?? []).map(path)
  const agent = get('identityagent') ?? 'SSH_AUTH_SOCK'
  return {
    host,
    port,
    user,
    alias: get('hostkeyalias'),
    identityFiles: (said.get('identityfile') ?? IDENTITIES.map(name => `~/.ssh/${name}`)).map(path),
    agent:
      agent === 'SSH_AUTH_SOCK' ? process.env.SSH_AUTH_SOCK || undefined : agent === 'none' ? undefined : path(agent),
    identitiesOnly: get('identitiesonly') === 'yes',
    knownHostsFiles:
      said.size === 0 ? [below(home, '~/.ssh/known_hosts')] : files('userknownhostsfile', 'globalknownhostsfile')
  }
}

/** What `ssh -G` prints, by key; empty where there is no ssh. */
async function ask({ host, port, user }: Via, home: string): Promise<Map<string, string[]>> {
  const own = join(home, '.ssh/config')
  // Under sudo ssh would read root's, and it never asks HOME.
  const config = home === passwd()?.homedir ? [] : ['-F', existsSync(own) ? own : 'none']
  const where = [...(port === undefined ? [] : ['-p', String(port)]), ...(user === undefined ? [] : ['-l', user])]
  const said = new Map<string, string[]>()
  try {
    const { ok, stdout, stderr } = await run('ssh', ['-G', ...config, ...where, '--', host])
    if (!ok) throw new KtError('KT_JUMP_HOST', `ssh does not understand its configuration: ${stderr.split('\n')[0]}`)
    for (const line of stdout.split('\n')) {
      const [, key, value] = /^(\w+) (.+)$/.exec(line) ?? []
      if (key !== undefined && value !== undefined) said.set(key, [...(said.get(key) ?? []), value])
    }
  } catch (error) {
    if (!(error instanceof KtError && error.code === 'KT_NO_TOOL')) throw error
  }
  return said
}

/** `said`, or who typed the command: below sudo ssh takes itself for root's. */
function ownName(said: string | undefined): string {
  const name = passwd()?.username
  return said === undefined || said === name ? (process.env.SUDO_USER ?? name ?? '') : said
}

/** A path below the home directory; what ssh has taken for that is root's below sudo. */
function below(home: string, path: string): string {
  if (path.startsWith('~/')) return join(home, path.slice(2))
  const taken = join(passwd()?.homedir ?? home, '.ssh/')
  return path.startsWith(taken) ? join(home, '.ssh', path.slice(taken.length)) : path
}

/** Undefined for an id without an entry. */
function passwd(): { username: string; homedir: string } | undefined {
  try {
    return userInfo()
  } catch {
    return undefined
  }
}
