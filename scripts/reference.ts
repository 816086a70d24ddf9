// The commands as documents: docs/commands.md and the man page, from the same texts as --help.
import type { EventEmitter } from 'node:events'
import type { Command, Option } from 'commander'

interface Described {
  path: string
  description: string
  usage: string
  arguments: { name: string; description: string }[]
  options: { flags: string; description: string }[]
  /** What --help says behind the options, examples above all. */
  after: string
}

/** docs/commands.md. */
export function markdown(program: Command): string {
  const parts = [
    '# Commands',
    '',
    'Made from `kt COMMAND --help` by `node scripts/docs.ts`; change the texts there.',
    '',
    '## Every command takes',
    '',
    ...optionTable(describe(program).options)
  ]
  for (const command of listed(program)) {
    const { path, description, usage, arguments: operands, options, after } = describe(command)
    parts.push('', `## ${path}`, '', `${sentence(description)}`, '', '```text', usage, '```')
    if (operands.length > 0) parts.push('', ...operands.map(({ name, description: text }) => `- \`${name}\`: ${text}`))
    if (options.length > 0) parts.push('', ...optionTable(options))
    if (after !== '') parts.push('', '```text', after, '```')
  }
  return `${parts.join('\n')}\n`
}

/** kt.1, in the macros of man(7). */
export function manPage(program: Command, version: string): string {
  const lines = [
    `.TH KT 1 "" "kt ${version}" "User Commands"`,
    '.SH NAME',
    `kt \\- ${roff(program.description().replace(/\.$/, '').replace(/^O/, 'o'))}`,
    '.SH SYNOPSIS',
    '.B kt',
    '.RI [ options ]',
    '.I command',
    '.RI [ operands ]',
    '.SH OPTIONS OF EVERY COMMAND',
    ...describe(program).options.flatMap(manOption),
    '.SH COMMANDS'
  ]
  for (const command of listed(program)) {
    const { path, description, usage, options, after } = describe(command)
    lines.push(`.SS ${roff(path)}`, roff(sentence(description)), '.PP', '.nf', roff(usage), '.fi')
    lines.push(...options.flatMap(manOption))
    if (after !== '') lines.push('.PP', '.nf', ...after.split('\n').map(roff), '.fi')
  }
  lines.push('.SH EXIT STATUS', ...EXIT_STATUS.flatMap(([code, text]) => ['.TP', `.B ${code}`, text]))
  lines.push('.SH FILES', '.TP', '.I ~/.kt/config', 'Defaults for flags; see kt config.')
  lines.push('.TP', '.I .kt.yaml', 'What kt apply starts.')
  lines.push('.SH ENVIRONMENT', '.TP', '.B KUBECONFIG', 'Kubeconfig files, as kubectl reads them.')
  lines.push('.TP', '.B KT_HOME', 'In place of ~/.kt.', '.TP', '.BR NO_COLOR ", " FORCE_COLOR', 'No colours; colours.')
  return `${lines.join('\n')}\n`
}

/** README has the same table. */
const EXIT_STATUS = [
  ['0', 'All right.'],
  ['1', 'The answer is no: kt check, kt status, kt dns, kt config get.'],
  ['2', 'The command line or a file of the user is wrong.'],
  ['3', 'This computer: rights, a device, a program, another kt.'],
  ['4', 'The cluster: kubeconfig, API server, a right, a missing object, somebody else.'],
  ['5', 'The shadow pod or the connection to it.'],
  ['70', 'A fault of kt.'],
  ['other', 'kt up -- COMMAND ends with the code of the command.']
] as const

/** All commands that help shows, those with commands of their own as these. */
function listed(program: Command): Command[] {
  const shown = program.createHelp().visibleCommands(program)
  return shown
    .filter(command => command.name() !== 'help')
    .flatMap(command => (command.commands.length === 0 ? [command] : [command, ...command.commands]))
}

function describe(command: Command): Described {
  const help = command.createHelp()
  const names: string[] = []
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name())
  let after = ''
  // How commander asks for what addHelpText has put behind the help.
  const events = command as Command & EventEmitter
  events.emit('afterHelp', { error: false, command, write: (part: string) => (after += part) })
  return {
    path: names.join(' '),
    description: command.description(),
    usage: help.commandUsage(command),
    arguments: command.registeredArguments.map(each => ({ name: each.name(), description: each.description })),
    options: help
      .visibleOptions(command)
      .filter(own)
      .map(each => ({ flags: each.flags, description: text(each) })),
    after: after.trim()
  }
}

const own = ({ long }: Option): boolean => long !== '--help'

/** Description with choices and default, as --help has it. */
function text({ description, argChoices, defaultValue }: Option): string {
  const parts = [description]
  if (argChoices !== undefined) parts.push(`one of ${argChoices.join(', ')}`)
  if (defaultValue !== undefined && defaultValue !== false) parts.push(`default: ${String(defaultValue)}`)
  return parts.filter(Boolean).join('; ')
}

function optionTable(options: Described['options']): string[] {
  const cell = (value: string): string => value.replaceAll('|', '\\|')
  return ['| flag | meaning |', '|---|---|', ...options.map(o => `| \`${cell(o.flags)}\` | ${cell(o.description)} |`)]
}

const sentence = (description: string): string => `${description.charAt(0).toUpperCase()}${description.slice(1)}.`

function manOption({ flags, description }: { flags: string; description: string }): string[] {
  return ['.TP', `.B ${roff(flags)}`, roff(description)]
}

/** A dash is a hyphen in roff, a dot or a quote at the start of a line a request. */
function roff(line: string): string {
  return line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}
