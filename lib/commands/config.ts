// `kt config`: defaults for flags, in ~/.kt/config, and named copies of it.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { stateDirectory } from '../host/state.ts'
import {
  type Config,
  type Configurable,
  canonicalKey,
  configPath,
  configurables,
  configuredValue,
  profilePath,
  readConfig,
  writeConfig
} from './config-file.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

/** `program` gives the keys that exist, once all commands are there. */
export function configCommand(program: Command, done: (code: number) => void): Command {
  const keys = (): Map<string, Configurable> => configurables(program)
  const config = new Command('config')
    .description("defaults for flags, kept in ~/.kt/config with kt-connect's keys")
    .addHelpText(
      'after',
      `
Examples:
  kt config set global.image registry.example/node:22     for every command
  kt config set connect.exclude-ips=10.96.8.0/24          for kt up, which kt-connect calls connect
  kt config show                                          what is set; with --all every key there is
  kt config save-profile work; kt config load-profile home
What is typed on the command line wins.`
    )
  config.addCommand(setCommand(keys))
  config.addCommand(getCommand(keys, done))
  config.addCommand(unsetCommand(keys))
  config.addCommand(showCommand(keys))
  for (const command of profileCommands()) config.addCommand(command)
  for (const command of config.commands) command.copyInheritedSettings(program)
  return config
}

type Keys = () => Map<string, Configurable>

const outputOf = (command: Command): GlobalFlags['output'] => command.optsWithGlobals<GlobalFlags>().output

function setCommand(keys: Keys): Command {
  return new Command('set')
    .description('set a default: KEY VALUE, or KEY=VALUE')
    .argument('<key>', 'for example connect.exclude-ips or global.image')
    .argument('[value]')
    .addHelpText('after', '\nExample:\n  kt config set connect.dns-mode hosts:shop,pay')
    .action((typed: string, second: string | undefined, _: unknown, command: Command) => {
      const [, first = typed, behind] = /^([^=]+)=(.*)$/.exec(typed) ?? []
      const value = second ?? behind
      if (value === undefined)
        throw new KtError('KT_USAGE', `${typed} has no value`, { hint: `kt config set ${typed} VALUE` })
      const { key, flag } = known(keys(), second === undefined ? first : typed)
      configuredValue(key, flag, value)
      const config = readConfig()
      const [section = '', name = ''] = key.split('.')
      config[section] = { ...config[section], [name]: value }
      writeConfig(config)
      print(outputOf(command), { key, value }, `${key} is ${value} from now on\n`)
    })
}

function getCommand(keys: Keys, done: (code: number) => void): Command {
  return new Command('get')
    .description('print what a key is set to')
    .argument('<key>')
    .addHelpText('after', '\nExit code 1: it is not set.\nExample:\n  kt config get global.image')
    .action((typed: string, _: unknown, command: Command) => {
      const { key } = known(keys(), typed)
      const [section = '', name = ''] = key.split('.')
      const value = readConfig()[section]?.[name]
      print(outputOf(command), { key, value: value ?? null }, value === undefined ? '' : `${value}\n`)
      done(value === undefined ? 1 : 0)
    })
}

function unsetCommand(keys: Keys): Command {
  return new Command('unset')
    .description('forget a default, or with --all every one')
    .argument('[key]')
    .option('-a, --all', 'every key')
    .addHelpText('after', '\nExample:\n  kt config unset global.image')
    .action((typed: string | undefined, { all = false }: { all?: boolean }, command: Command) => {
      if ((typed === undefined) !== all)
        throw new KtError('KT_USAGE', 'name one key, or give --all', { hint: 'kt config show lists what is set' })
      const config = all ? {} : readConfig()
      if (typed !== undefined) {
        const [section = '', name = ''] = known(keys(), typed).key.split('.')
        delete config[section]?.[name]
      }
      writeConfig(config)
      print(outputOf(command), config, typed === undefined ? 'nothing is set now\n' : `${typed} is not set now\n`)
    })
}

function showCommand(keys: Keys): Command {
  return new Command('show')
    .description('print what is set')
    .option('-a, --all', 'also the keys that are not set')
    .addHelpText('after', '\nExample:\n  kt config show --all --output yaml')
    .action(({ all = false }: { all?: boolean }, command: Command) => {
      const config = readConfig()
      const shown: Record<string, string | null> = {}
      if (all) for (const [key, { option }] of keys()) if (!option.hidden) shown[key] = null
      for (const [section, values] of Object.entries(config))
        for (const [name, value] of Object.entries(values)) shown[`${section}.${name}`] = value
      const lines = Object.entries(shown).map(([key, value]) => `${key} = ${value ?? ''}`.trimEnd())
      print(outputOf(command), shown, lines.length === 0 ? 'nothing is set\n' : `${lines.join('\n')}\n`)
    })
}

function profileCommands(): Command[] {
  const save = new Command('save-profile')
    .description('keep what is set under a name')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  kt config save-profile work')
    .action((name: string, _: unknown, command: Command) => {
      writeConfig(readConfig(), profilePath(checked(name)))
      print(outputOf(command), { profile: name }, `profile ${name} is kept\n`)
    })
  const load = new Command('load-profile')
    .description('set everything as a profile has it')
    .argument('<name>')
    .option('--dryRun', 'only print it')
    .addHelpText('after', '\nExample:\n  kt config load-profile work --dryRun')
    .action((name: string, { dryRun = false }: { dryRun?: boolean }, command: Command) => {
      const path = existing(name)
      const config: Config = readConfig(path)
      if (!dryRun) writeConfig(config)
      print(outputOf(command), config, dryRun ? readFileSync(path, 'utf8') : `profile ${name} is in use\n`)
    })
  const list = new Command('list-profile')
    .description('print the names of all profiles')
    .addHelpText('after', '\nExample:\n  kt config list-profile')
    .action((_: unknown, command: Command) => {
      const names = profiles()
      print(outputOf(command), names, names.map(name => `${name}\n`).join(''))
    })
  const drop = new Command('drop-profile')
    .description('forget a profile')
    .argument('<name>')
    .addHelpText('after', '\nExample:\n  kt config drop-profile work')
    .action((name: string, _: unknown, command: Command) => {
      rmSync(existing(name))
      print(outputOf(command), { profile: name }, `profile ${name} is gone\n`)
    })
  return [save, load, list, drop]
}

/** Names of the profiles that are kept. */
export function profiles(): string[] {
  return readdirSync(stateDirectory('profile')).sort((a, b) => a.localeCompare(b))
}

function checked(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name
  throw new KtError('KT_USAGE', `"${name}" cannot be the name of a profile`, { hint: 'letters, digits and . _ -' })
}

function existing(name: string): string {
  const path = profilePath(checked(name))
  if (existsSync(path)) return path
  const names = profiles()
  throw new KtError('KT_USAGE', `there is no profile "${name}"`, {
    hint: names.length === 0 ? 'kt config save-profile makes one' : `there are: ${names.join(', ')}`
  })
}

function known(all: Map<string, Configurable>, typed: string): { key: string; flag: Configurable } {
  const key = canonicalKey(typed)
  const flag = all.get(key)
  if (flag !== undefined) return { key, flag }
  const section = key.split('.')[0]
  const near = [...all].filter(([each, { option }]) => each.startsWith(`${section}.`) && !option.hidden)
  const sections = [...new Set([...all.keys()].map(each => each.split('.')[0]))]
  throw new KtError('KT_USAGE', `there is no key "${typed}" in ${configPath()}`, {
    hint:
      near.length > 0 ? `keys there: ${near.map(([each]) => each).join(', ')}` : `sections are: ${sections.join(', ')}`
  })
}
