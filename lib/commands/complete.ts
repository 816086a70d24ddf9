// `kt __complete -- WORDS`: what may stand where the last of the words does. Asked by the scripts of `kt completion`.
import { Command, type Option } from 'commander'
import { loadCluster } from '../kube/api/client.ts'
import { kubeconfigContexts } from '../kube/api/kubeconfig.ts'
import { NAMESPACES, PODS, type Resource, SERVICES } from '../kube/api/resource.ts'
import { profiles } from './config.ts'
import { configurables } from './config-file.ts'
import type { GlobalFlags } from './global.ts'

/** A person waits for it. */
const ASK_LIMIT_MS = 2_000
/** Nobody reads more. */
const NAMES_MAX = 500

/** `value TAB description`. */
type Candidate = [value: string, description?: string]

type ClusterFlags = Pick<GlobalFlags, 'kubeconfig' | 'context' | 'namespace' | 'via'>

/** Where the words have led. */
interface Place {
  command: Command
  /** Operands before the last word, behind the command's name. */
  operands: string[]
  /** The flag whose value the last word is. */
  option: Option | undefined
  /** What was typed of it, and what must stand before each value (`--namespace=`). */
  current: string
  prefix: string
  flags: ClusterFlags
}

export function completeCommand(program: Command): Command {
  return new Command('__complete').action(async (_: unknown, command: Command) => {
    const { behind = [], kubeconfig, context, namespace, via } = command.optsWithGlobals<GlobalFlags>()
    const configured = { kubeconfig, context, namespace, via } as ClusterFlags
    for (const [value, description = ''] of await candidates(program, behind, configured))
      process.stdout.write(`${value}\t${description}`.trimEnd().concat('\n'))
  })
}

/** Everything that fits the last word; names of the cluster are asked for, and left out when it does not answer in time. */
export async function candidates(
  program: Command,
  words: readonly string[],
  configured: ClusterFlags = {}
): Promise<Candidate[]> {
  const place = placeOf(program, words)
  place.flags = { ...configured, ...place.flags }
  const { current, prefix } = place
  const found = await all(program, place)
  return found
    .filter(([value]) => value.startsWith(current) || value === ':file')
    .map(([value, ...rest]) => [`${value === ':file' ? '' : prefix}${value}`, ...rest])
}

function placeOf(program: Command, all: readonly string[]): Place {
  // Bash cuts words at `=`, and hands over the pieces.
  const words = all.filter((word, i) => word !== '=' || i === all.length - 1).map(word => word.trim())
  const typed = words.at(-1) === '=' ? '' : (words.at(-1) ?? '')
  const place: Place = { command: program, operands: [], option: undefined, current: typed, prefix: '', flags: {} }
  const values = place.flags as Record<string, string>
  for (const word of words.slice(0, -1)) {
    if (place.option !== undefined) {
      values[place.option.attributeName()] = word
      place.option = undefined
    } else if (word.startsWith('-')) {
      const [flag = '', value] = word.split('=')
      const option = optionOf(place, program, flag)
      if (value !== undefined && option !== undefined) values[option.attributeName()] = value
      else if (option?.required) place.option = option
    } else {
      const below = place.command.commands.find(c => c.name() === word || c.aliases().includes(word))
      if (below !== undefined && place.operands.length === 0) place.command = below
      else place.operands.push(word)
    }
  }
  const [, flag, value] = /^(--[^=]+)=(.*)$/.exec(typed) ?? []
  if (flag !== undefined && value !== undefined) {
    place.option = optionOf(place, program, flag)
    place.prefix = `${flag}=`
    place.current = value
  }
  return place
}

function optionOf({ command }: Place, program: Command, flag: string): Option | undefined {
  return [...command.options, ...program.options].find(({ long, short }) => long === flag || short === flag)
}

async function all(program: Command, place: Place): Promise<Candidate[]> {
  const { command, option, current } = place
  if (option !== undefined) return await valuesOf(option, place)
  if (current.startsWith('-')) {
    const shown = [...command.options, ...program.options].filter(({ hidden, long }) => !hidden && long !== undefined)
    return [...new Map(shown.map(each => [each.long ?? '', each.description]))]
  }
  const below = command.commands.filter(each => !hidden(each))
  if (below.length > 0 && place.operands.length === 0) return below.map(each => [each.name(), each.description()])
  return await operandsOf(program, place)
}

/** Commander says so only to its own help. */
const hidden = (command: Command): boolean => (command as Command & { _hidden?: boolean })._hidden === true

async function valuesOf(option: Option, place: Place): Promise<Candidate[]> {
  if (option.argChoices !== undefined) return option.argChoices.map(value => [value])
  switch (option.attributeName()) {
    case 'kubeconfig':
    case 'write':
      return [[':file']]
    case 'context':
      return kubeconfigContexts(place.flags).map(value => [value])
    case 'namespace':
      return (await names(place, NAMESPACES)).map(value => [value])
    case 'envFrom':
      return await targets(place)
    default:
      return []
  }
}

/** What the commands' operands are. */
async function operandsOf(program: Command, place: Place): Promise<Candidate[]> {
  const { command, operands } = place
  const path = command.parent === program ? command.name() : `${command.parent?.name()} ${command.name()}`
  if (operands.length > 0) return []
  switch (path) {
    case 'exchange':
    case 'mesh':
    case 'forward':
    case 'env':
      return await targets(place)
    case 'recover':
    case 'dns':
      return (await names(place, SERVICES)).map(value => [value, 'service'])
    case 'config get':
    case 'config set':
    case 'config unset':
      return [...configurables(program)]
        .filter(([, { option }]) => !option.hidden)
        .map(([key, { option }]) => [key, option.description])
    case 'config load-profile':
    case 'config drop-profile':
      return profiles().map(name => [name])
    case 'apply':
      return [[':file']]
    default:
      return command.registeredArguments[0]?.argChoices?.map(value => [value]) ?? []
  }
}

async function targets(place: Place): Promise<Candidate[]> {
  const { current } = place
  if (/^po(d|ds)?\//.test(current)) {
    const [kind] = current.split('/')
    return (await names(place, PODS)).map(name => [`${kind}/${name}`, 'pod'])
  }
  const services = await names(place, SERVICES)
  const kinds = ['deployment/', 'statefulset/', 'pod/', 'service/'].map((kind): Candidate => [kind, 'another kind'])
  return [...services.map((name): Candidate => [name, 'service']), ...kinds]
}

/** Names of objects in the cluster that the words so far mean. */
async function names({ flags }: Place, resource: Resource): Promise<string[]> {
  const signal = AbortSignal.timeout(ASK_LIMIT_MS)
  try {
    const cluster = await loadCluster(flags, signal)
    try {
      const where = resource === NAMESPACES ? {} : { namespace: cluster.namespace }
      const query = { limit: String(NAMES_MAX) }
      const list = await cluster.api.call<{
        items: { metadata?: { name?: string; labels?: Record<string, string> } }[]
      }>({ ...resource, ...where, verb: 'list', query }, signal)
      return list.items
        .filter(({ metadata }) => metadata?.labels?.['control-by'] !== 'kt')
        .map(({ metadata }) => metadata?.name ?? '')
    } finally {
      cluster.close()
    }
  } catch {
    return [] // completion never complains
  }
}
