// `kt logs`: what the commands in the background have written.
import { closeSync, type FSWatcher, openSync, readdirSync, readSync, statSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { KtError } from '../errors.ts'
import { processStart, stateDirectory } from '../host/state.ts'
import { sessions } from '../session/registry.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

interface LogsFlags extends GlobalFlags {
  tail?: number
  follow?: boolean
  list?: boolean
}

/** What is read at once, and the most that is shown of a log without --tail. */
const READ_BYTES = 64 * 1024
const SHOWN_MAX_BYTES = 4 << 20
/** A process that has ended writes no more. */
const LOOK_EVERY_MS = 500

export function logsCommand(): Command {
  return new Command('logs')
    .description('print the log of a kt in the background: the newest, or that of a command or process')
    .argument('[which]', 'a command such as up or exchange, or the id of a process')
    .option('--tail <lines>', 'only the last lines', lineCount)
    .option('--follow', 'go on until it ends')
    .option('--list', 'only the names of the log files')
    .addHelpText(
      'after',
      `
Examples:
  kt logs
  kt logs exchange --tail 20 --follow
  kt logs --list`
    )
    .action(async (which: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<LogsFlags>()
      const files = logFiles()
      if (flags.list) return print(flags.output, files, files.map(file => `${file}\n`).join(''))
      const file = chosen(files, which)
      const text = lastLines(read(file), flags.tail)
      print(flags.output, { file, lines: text.split('\n').slice(0, -1) }, text)
      if (flags.follow && flags.output === 'text') await follow(file)
    })
}

function lineCount(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('a number of lines is expected')
  return Number(value)
}

/** All log files, oldest first. */
export function logFiles(): string[] {
  const directory = stateDirectory('log')
  return readdirSync(directory)
    .filter(name => name.endsWith('.log'))
    .map(name => join(directory, name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
}

function chosen(files: string[], which: string | undefined): string {
  const running = sessions().find(s => String(s.pid) === which)
  const command = which === 'connect' ? 'up' : which
  const file =
    which === undefined
      ? files.at(-1)
      : ((running?.log || undefined) ?? files.findLast(path => basename(path).startsWith(`${command}-`)))
  if (file !== undefined) return file
  throw new KtError('KT_NOT_RUNNING', which === undefined ? 'there is no log yet' : `there is no log of ${which}`, {
    hint: 'commands in the background write one: sudo kt up -D'
  })
}

function read(file: string): string {
  const { size } = statSync(file)
  const from = Math.max(0, size - SHOWN_MAX_BYTES)
  return readFrom(file, from).text
}

function readFrom(file: string, from: number): { text: string; end: number } {
  const fd = openSync(file, 'r')
  try {
    const parts: Buffer[] = []
    for (let at = from; ; ) {
      const part = Buffer.alloc(READ_BYTES)
      const length = readSync(fd, part, 0, READ_BYTES, at)
      if (length === 0) return { text: Buffer.concat(parts).toString('utf8'), end: at }
      parts.push(part.subarray(0, length))
      at += length
    }
  } finally {
    closeSync(fd)
  }
}

function lastLines(text: string, count: number | undefined): string {
  if (count === undefined) return text
  const lines = text.split('\n')
  return lines.slice(Math.max(0, lines.length - 1 - count)).join('\n')
}

/** Print what is added, until nobody writes there any more or we are told to stop. */
async function follow(file: string): Promise<void> {
  let end = statSync(file).size
  const more = (): void => {
    const next = readFrom(file, end)
    end = next.end
    process.stdout.write(next.text)
  }
  const writer = sessions().find(({ log }) => log === file)
  if (writer === undefined) return
  const watcher: FSWatcher = watch(file, more)
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      if (processStart(writer.pid) === writer.started) return
      clearInterval(timer)
      resolve()
    }, LOOK_EVERY_MS)
  })
  watcher.close()
  more()
}
