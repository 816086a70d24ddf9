// `kt apply`: everything that a project's .kt.yaml asks for, at once, until Ctrl-C. Each part is a kt of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { KtError, type KtErrorCode } from '../errors.ts'
import { describe, type Report, type SessionEvent } from '../session/report.ts'
import { detach } from './detach.ts'
import { inForeground } from './foreground.ts'
import { type GlobalFlags, typedFlags } from './global.ts'
import { findProjectFile, readProjectFile, type Wanted } from './project-file.ts'

/** Not for the parts: what they say is read here. Whatever else was typed holds for each of them, and wins over the file. */
const NOT_PASSED = new Set(['output', 'quiet', 'version'])

interface ApplyFlags extends GlobalFlags {
  detach?: boolean
}

export function applyCommand(program: Command, done: (code: number) => void): Command {
  return new Command('apply')
    .description('exchange, mesh and preview what the .kt.yaml of this project asks for, until Ctrl-C')
    .argument('[file]', 'default: .kt.yaml here, or the nearest above')
    .option('-D, --detach', 'go to the background once everything works')
    .addHelpText(
      'after',
      `
A file:
  namespace: shop              any flag of every command that says where and how: context, image, nodeSelector …
  exchange:
    - target: cart             as typed behind kt exchange; every flag of it may follow
      expose: 3000:80
  mesh:
    - target: pay
      expose: 8080
      versionMark: alice
  preview:
    - name: cart-next
      expose: [3000, 9090]
Examples:
  kt apply
  kt apply deploy/dev.kt.yaml -D`
    )
    .action(async (file: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ApplyFlags>()
      const wanted = readProjectFile(file ?? findProjectFile(process.cwd()), program)
      if (flags.detach) return await detach(flags, 'apply')
      done(await inForeground(flags, (report, stop) => applyAll(wanted, typedFlags(program, NOT_PASSED), report, stop)))
    })
}

/** Resolves when all have ended; rejects with the first error, after all have put back what they changed. */
async function applyAll(wanted: Wanted[], flags: string[], report: Report, stop: AbortController): Promise<void> {
  const began = performance.now()
  const banners: string[] = []
  let error: KtError | undefined
  const parts = wanted.map(({ title, argv }) => {
    const part = begin([...argv, ...flags])
    const lines = createInterface({ input: part.stdout! })
    lines.on('line', line => {
      const event = JSON.parse(line) as SessionEvent
      if (event.event === 'error') error ??= new KtError(event.code, `${title}: ${event.message}`, { hint: event.hint })
      else if (event.event !== 'ready') pass(title, event, report)
      else {
        banners.push(event.banner ?? title)
        if (banners.length === wanted.length)
          report({ event: 'ready', ms: performance.now() - began, try: [], banner: banners.join('\n ') })
      }
    })
    return { title, part, ended: Promise.all([once(part, 'exit'), once(lines, 'close')]) }
  })
  const end = (): void => {
    for (const { part } of parts) part.kill('SIGTERM')
  }
  stop.signal.addEventListener('abort', end, { once: true })
  await Promise.all(
    parts.map(async ({ title, ended }) => {
      const [[code]] = await ended
      if (code !== 0) error ??= new KtError('KT_INTERNAL' satisfies KtErrorCode, `${title} has ended with code ${code}`)
      if (!stop.signal.aborted) stop.abort(`${title} has ended`) // all of it or nothing
    })
  )
  if (error !== undefined) throw error
}

/** The same program, with its events on standard output. */
function begin(argv: string[]): ChildProcess {
  const main = process.argv[1] ?? ''
  return spawn(process.execPath, [...process.execArgv, main, ...argv, '--output', 'json'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
}

function pass(title: string, event: SessionEvent, report: Report): void {
  const text = `${title}: ${describe(event).trim().replaceAll('\n', '; ')}`
  if (event.event === 'warning' || event.event === 'state')
    report({ event: 'warning', text: text.replace(': ! ', ': ') })
  else if (event.event === 'call' || event.event === 'restored') report({ event: 'note', text })
  else if (event.event === 'step' || event.event === 'progress') report({ event: 'progress', text })
}
