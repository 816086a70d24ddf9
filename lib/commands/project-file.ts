// `.kt.yaml` of a project: what its developers exchange, mesh and preview, as the command lines that do it.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { loadAll } from 'js-yaml'
import { KtError } from '../errors.ts'

const NAME = '.kt.yaml'
/** Lists of the file, and the key that names what each entry is about. */
const LISTS = { exchange: 'target', mesh: 'target', preview: 'name' } as const
/** Flags of every command that may stand at the top: where the cluster is, and how its pods are made. */
const TOP: readonly string[] = [
  ...['kubeconfig', 'context', 'namespace', 'via'],
  ...['image', 'imagePullSecret', 'serviceAccount', 'nodeSelector', 'withLabel', 'withAnnotation', 'podQuota'],
  'podCreationTimeout'
]
/** Each is a process of its own. */
const ENTRIES_MAX = 50

export interface Wanted {
  /** `exchange shop`: for messages. */
  title: string
  argv: string[]
}

/** The nearest file upwards from `directory`. Throws KT_USAGE when there is none. */
export function findProjectFile(directory: string): string {
  for (let at = resolve(directory); ; at = dirname(at)) {
    const path = join(at, NAME)
    if (existsSync(path)) return path
    if (dirname(at) === at)
      throw new KtError('KT_USAGE', `there is no ${NAME} here or above`, { hint: 'kt apply --help shows one' })
  }
}

/** Read a project file; `program` knows which flags there are. Throws KT_USAGE. */
export function readProjectFile(path: string, program: Command): Wanted[] {
  let content: unknown
  try {
    content = loadAll(readFileSync(path, 'utf8'))[0]
  } catch (cause) {
    throw wrong(path, (cause as Error).message.split('\n')[0] ?? '')
  }
  const file = mapOf(path, content, 'the file')
  const top = TOP.flatMap(key => (file[key] === undefined ? [] : [`--${key}`, String(file[key])]))
  const wanted: Wanted[] = []
  for (const [key, entries] of Object.entries(file)) {
    if (TOP.includes(key)) continue
    if (!(key in LISTS)) throw wrong(path, `"${key}" is none of ${[...TOP, ...Object.keys(LISTS)].join(', ')}`)
    if (!Array.isArray(entries)) throw wrong(path, `${key} is not a list`)
    for (const entry of entries as unknown[]) wanted.push(lineOf(path, program, key as keyof typeof LISTS, entry, top))
  }
  if (wanted.length === 0) throw wrong(path, 'it asks for nothing')
  if (wanted.length > ENTRIES_MAX) throw wrong(path, `it asks for more than ${ENTRIES_MAX} things`)
  return wanted
}

function lineOf(path: string, program: Command, verb: keyof typeof LISTS, entry: unknown, top: string[]): Wanted {
  const { [LISTS[verb]]: what, ...flags } = mapOf(path, entry, `an entry of ${verb}`)
  if (typeof what !== 'string') throw wrong(path, `an entry of ${verb} has no ${LISTS[verb]}`)
  const command = program.commands.find(each => each.name() === verb)
  const known = [...(command?.options ?? []), ...program.options]
  const words = Object.entries(flags).flatMap(([key, value]) => {
    const option = known.find(each => each.attributeName() === key && !each.hidden)
    if (option?.long === undefined) throw wrong(path, `${verb} ${what}: there is no flag --${key}`)
    if (option.isBoolean()) return value === true ? [option.long] : []
    return [option.long, Array.isArray(value) ? value.join(',') : String(value)]
  })
  return { title: `${verb} ${what}`, argv: [verb, what, ...top, ...words] }
}

function mapOf(path: string, value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw wrong(path, `${what} is not a map`)
}

function wrong(path: string, why: string): KtError {
  return new KtError('KT_USAGE', `${path}: ${why}`, { hint: 'kt apply --help shows what may stand there' })
}
