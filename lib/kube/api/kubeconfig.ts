// The kubeconfig as kubectl reads it: which files, merged how, which context. Nothing here talks to a network.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, resolve } from 'node:path'
import { loadAll } from 'js-yaml'
import { KtError } from '../../errors.ts'

/** A kubeconfig is written by people and tools, a few KiB each; more than this is some other file. */
const FILE_MAX_BYTES = 8 * 1024 * 1024

/** One name-value pair for a plugin's environment. */
export interface ExecVariable {
  name: string
  value: string
}

/** `users[].user.exec`: a program that prints credentials (client.authentication.k8s.io). */
export interface ExecConfig {
  apiVersion: string
  command: string
  args?: string[] | null
  env?: ExecVariable[] | null
  installHint?: string
  provideClusterInfo?: boolean
  interactiveMode?: 'Never' | 'IfAvailable' | 'Always'
}

/** `clusters[].cluster`; paths are absolute. Keys are those of the file. */
export interface ClusterConfig {
  server: string
  'certificate-authority'?: string
  'certificate-authority-data'?: string
  'insecure-skip-tls-verify'?: boolean
  'tls-server-name'?: string
  'proxy-url'?: string
  extensions?: { name: string; extension: unknown }[]
}

/** `users[].user`; paths are absolute. Keys are those of the file. */
export interface UserConfig {
  'client-certificate'?: string
  'client-certificate-data'?: string
  'client-key'?: string
  'client-key-data'?: string
  token?: string
  tokenFile?: string
  as?: string
  'as-uid'?: string
  'as-groups'?: string[]
  'as-user-extra'?: Record<string, string[]>
  username?: string
  password?: string
  exec?: ExecConfig
  'auth-provider'?: { name: string; config?: Record<string, unknown> }
}

/** `contexts[].context`. */
export interface ContextConfig {
  cluster: string
  user?: string
  namespace?: string
}

/** What one context of the merged files says. */
export interface Kubeconfig {
  contextName: string
  clusterName: string
  cluster: ClusterConfig
  userName: string
  user: UserConfig
  namespace: string | undefined
  /** The files that were read, for messages. */
  files: string[]
}

interface Merged {
  files: string[]
  current: string
  clusters: Map<string, ClusterConfig>
  users: Map<string, UserConfig>
  contexts: Map<string, ContextConfig>
}

/** Read the kubeconfig and choose a context. `file` is the command line's and must exist. Throws KT_KUBECONFIG. */
export function readKubeconfig(options: { kubeconfig?: string | undefined; context?: string | undefined }): Kubeconfig {
  const merged = merge(kubeconfigFiles(options.kubeconfig))
  const contextName = options.context ?? merged.current
  const context = merged.contexts.get(contextName)
  if (context === undefined) throw unknownContext(contextName, merged)
  const where = `context "${contextName}" of ${merged.files.join(', ')}`
  const cluster = merged.clusters.get(context.cluster)
  if (cluster === undefined)
    throw new KtError('KT_KUBECONFIG', `${where} names a cluster that is not there: "${context.cluster}"`)
  if (typeof cluster.server !== 'string' || !URL.canParse(withScheme(cluster.server)))
    throw new KtError('KT_KUBECONFIG', `the cluster of ${where} has no valid server address`)
  const user = context.user ? merged.users.get(context.user) : {}
  if (user === undefined)
    throw new KtError('KT_KUBECONFIG', `${where} names a user that is not there: "${context.user}"`)
  return {
    contextName,
    clusterName: context.cluster,
    cluster: { ...cluster, server: withScheme(cluster.server) },
    userName: context.user ?? '',
    user,
    namespace: context.namespace || undefined,
    files: merged.files
  }
}

/** Names of all contexts, for completion; none when there is no kubeconfig. */
export function kubeconfigContexts(options: { kubeconfig?: string | undefined }): string[] {
  try {
    return [...merge(kubeconfigFiles(options.kubeconfig)).contexts.keys()]
  } catch {
    return []
  }
}

/** kubectl's order: the flag, else every existing file of $KUBECONFIG (each once), else ~/.kube/config. */
function kubeconfigFiles(flag: string | undefined): string[] {
  if (flag !== undefined && flag !== '') {
    if (!existsSync(flag))
      throw new KtError('KT_KUBECONFIG', `there is no kubeconfig file ${flag}`, {
        hint: 'without --kubeconfig, $KUBECONFIG and then ~/.kube/config are used'
      })
    return [resolve(flag)]
  }
  const list = process.env.KUBECONFIG
  if (list !== undefined && list !== '') {
    const files = [
      ...new Set(
        list
          .split(delimiter)
          .filter(Boolean)
          .map(f => resolve(f))
      )
    ].filter(f => existsSync(f))
    if (files.length > 0) return files
    throw new KtError('KT_KUBECONFIG', `no file of KUBECONFIG=${list} exists`, {
      hint: 'set KUBECONFIG, or give --kubeconfig FILE'
    })
  }
  const file = resolve(homedir(), '.kube/config')
  if (existsSync(file)) return [file]
  throw new KtError('KT_KUBECONFIG', `there is no kubeconfig: KUBECONFIG is not set and ${file} does not exist`, {
    hint: 'give --kubeconfig FILE; under sudo, keep yours with sudo -E or --kubeconfig ~/.kube/config'
  })
}

/** The first file that has a name keeps it; the first current-context counts (kubectl's rules for $KUBECONFIG). */
function merge(files: string[]): Merged {
  const merged: Merged = { files, current: '', clusters: new Map(), users: new Map(), contexts: new Map() }
  for (const file of files) {
    const content = parseFile(file)
    const near = (path: string) => (isAbsolute(path) ? path : resolve(dirname(file), path))
    if (merged.current === '' && typeof content['current-context'] === 'string')
      merged.current = content['current-context']
    collect(file, content.clusters, 'cluster', merged.clusters, c =>
      localise(c as ClusterConfig, ['certificate-authority'], near)
    )
    collect(file, content.contexts, 'context', merged.contexts, c => c as ContextConfig)
    collect(file, content.users, 'user', merged.users, u => localiseUser(u as UserConfig, near))
  }
  return merged
}

function parseFile(file: string): Record<string, unknown> {
  let content: unknown
  try {
    const text = readFileSync(file)
    if (text.length > FILE_MAX_BYTES) throw new Error(`it has ${text.length} bytes`)
    content = loadAll(text.toString('utf8'))[0] // an empty file has no document, and is a valid kubeconfig
  } catch (cause) {
    const why = (cause as Error).message.split('\n')[0]
    throw new KtError('KT_KUBECONFIG', `cannot read the kubeconfig ${file}: ${why}`, { cause })
  }
  if (content === undefined || content === null) return {}
  if (typeof content !== 'object' || Array.isArray(content))
    throw new KtError('KT_KUBECONFIG', `${file} is not a kubeconfig`)
  return content as Record<string, unknown>
}

function collect<T>(file: string, list: unknown, key: string, into: Map<string, T>, make: (value: object) => T): void {
  if (list === undefined || list === null) return
  if (!Array.isArray(list)) throw new KtError('KT_KUBECONFIG', `${file}: ${key}s is not a list`)
  for (const entry of list as (Record<string, unknown> | null)[]) {
    const name = entry?.name
    const value = entry?.[key] ?? {}
    if (typeof name !== 'string' || typeof value !== 'object')
      throw new KtError('KT_KUBECONFIG', `${file}: an entry of ${key}s has no name or no ${key}`)
    if (!into.has(name)) into.set(name, make(value))
  }
}

/** Paths in a kubeconfig are relative to the file. */
function localise<T extends object>(value: T, keys: (keyof T)[], near: (path: string) => string): T {
  const copy = { ...value }
  for (const key of keys) {
    const path = copy[key]
    if (typeof path === 'string' && path !== '') copy[key] = near(path) as T[typeof key]
  }
  return copy
}

function localiseUser(value: UserConfig, near: (path: string) => string): UserConfig {
  const user = localise(value, ['client-certificate', 'client-key', 'tokenFile'], near)
  // Only a command with a slash is a path; a bare name is searched in $PATH.
  if (user.exec?.command.includes('/')) user.exec = { ...user.exec, command: near(user.exec.command) }
  return user
}

/** kubectl takes `host:port` for http://host:port. */
function withScheme(server: string): string {
  return /^https?:\/\//.test(server) ? server : `http://${server}`
}

function unknownContext(name: string, merged: Merged): KtError {
  const known = [...merged.contexts.keys()].sort((a, b) => a.localeCompare(b))
  const hint = known.length === 0 ? 'the file has no contexts' : `contexts there: ${known.join(', ')}`
  const files = merged.files.join(', ')
  if (name === '')
    return new KtError('KT_KUBECONFIG', `no current context is set in ${files}`, {
      hint: `choose one with --context; ${hint}`
    })
  return new KtError('KT_KUBECONFIG', `there is no context "${name}" in ${files}`, { hint })
}
