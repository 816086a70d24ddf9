// ~/.kt/config: what stands there is the default of a flag. The keys are kt-connect's: `connect.exclude-ips`, `global.image`.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, CommanderError, type Option } from 'commander'
import { dump, loadAll } from 'js-yaml'
import { KtError } from '../errors.ts'
import { giveToInvoker, stateDirectory, statePath } from '../host/state.ts'

/** Section, key, value, as in the file. */
export type Config = Record<string, Record<string, string>>

/** People write it; more than this is some other file. */
const FILE_MAX_BYTES = 1 << 20
/** kt-connect's names of sections, where they are not those of our commands. */
const SECTIONS: Readonly<Record<string, string>> = { kt: 'global', up: 'connect', run: 'preview', provide: 'preview' }
/** Flags that belong to one call only. */
const NEVER = new Set(['help', 'version', 'detach'])

export const configPath = (): string => statePath('config')
export const profilePath = (name: string): string => join(stateDirectory('profile'), name)

/** The file's contents; empty without one. Throws KT_USAGE for a file that is not a map of maps. */
export function readConfig(path = configPath()): Config {
  if (!existsSync(path)) return {}
  let content: unknown
  try {
    const bytes = readFileSync(path)
    if (bytes.length > FILE_MAX_BYTES) throw new Error(`it has ${bytes.length} bytes`)
    content = loadAll(bytes.toString('utf8'))[0] ?? {} // an empty file has no document
    return sections(content)
  } catch (cause) {
    throw new KtError('KT_USAGE', `cannot read ${path}: ${(cause as Error).message.split('\n')[0]}`, {
      hint: 'sections with keys are expected, as in kt config show',
      cause
    })
  }
}

function sections(content: unknown): Config {
  const config: Config = {}
  for (const [section, keys] of entries(content)) {
    config[section] = Object.fromEntries(entries(keys ?? {}).map(([key, value]) => [key, String(value)]))
  }
  return config
}

function entries(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('a map was expected')
  return Object.entries(value)
}

/** Replace the file in one step; empty sections are left out. */
export function writeConfig(config: Config, path = configPath()): void {
  const kept = Object.fromEntries(Object.entries(config).filter(([, keys]) => Object.keys(keys).length > 0))
  const text = Object.keys(kept).length === 0 ? '' : dump(kept, { lineWidth: -1, sortKeys: true })
  stateDirectory('')
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  giveToInvoker(`${path}.new`)
  renameSync(`${path}.new`, path)
}

/** A flag that can be configured. */
export interface Configurable {
  command: Command
  option: Option
}

/** Every key that can be set, by name. */
export function configurables(program: Command): Map<string, Configurable> {
  const found = new Map<string, Configurable>()
  for (const command of [program, ...program.commands]) {
    for (const option of command.options) {
      const name = option.attributeName()
      if (NEVER.has(name)) continue
      const key = `${sectionOf(command)}.${dashed(name)}`
      if (!found.has(key)) found.set(key, { command, option })
    }
  }
  return found
}

/** `connect.includeIps` and `connect.include-ips` are the same key. */
export function canonicalKey(key: string): string {
  return key.split('.').map(dashed).join('.')
}

/** What a configured text means for its flag. Throws KT_USAGE. */
export function configuredValue(key: string, { option }: Configurable, text: string): unknown {
  if (option.isBoolean()) {
    if (text !== 'true' && text !== 'false') throw wrong(key, text, 'true or false is expected')
    return text === 'true'
  }
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined)
  } catch (error) {
    if (error instanceof CommanderError) throw wrong(key, text, error.message)
    throw error
  }
}

/** Give `command` and `program` what is configured, wherever nothing was typed. Throws KT_USAGE. */
export function applyConfig(program: Command, command: Command): void {
  const config = readConfig()
  if (Object.keys(config).length === 0) return
  for (const [key, each] of configurables(program)) {
    const owner = each.command === program ? program : command
    if (each.command !== program && sectionOf(command) !== sectionOf(each.command)) continue
    const [section = '', name = ''] = key.split('.')
    const text = config[section]?.[name]
    const attribute = each.option.attributeName()
    const source = owner.getOptionValueSource(attribute)
    if (text === undefined || (source !== undefined && source !== 'default')) continue
    owner.setOptionValueWithSource(attribute, configuredValue(key, each, text), 'config')
  }
}

const sectionOf = (command: Command): string => SECTIONS[command.name()] ?? command.name()

/** `includeIps` → `include-ips`. */
const dashed = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

function wrong(key: string, text: string, why: string): KtError {
  return new KtError('KT_USAGE', `${key} is "${text}" in ${configPath()}: ${why}`, { hint: `kt config unset ${key}` })
}
