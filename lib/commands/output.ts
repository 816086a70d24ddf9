// How results and events look: text, with colours and a spinner on a terminal; JSON or YAML for programs.
import { dump } from 'js-yaml'
import picocolors from 'picocolors'
import yoctoSpinner from 'yocto-spinner'
import { describe, jsonReport, type Report, type SessionEvent, textReport } from '../session/report.ts'

/** `--output`. */
export const OUTPUT_FORMS = ['text', 'json', 'yaml'] as const
export type OutputForm = (typeof OUTPUT_FORMS)[number]

type Colours = ReturnType<typeof picocolors.createColors>

/**
 * May `out` be coloured? https://no-color.org: NO_COLOR with any text forbids it, FORCE_COLOR with anything but 0 asks for it; otherwise a
 * terminal that is not dumb has colours. Pure but for `out.isTTY`.
 */
export function mayColour(out: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return out.isTTY === true && env.TERM !== 'dumb'
}

/** Formatters for `out`; where colours are not wanted they change nothing. */
export function coloursFor(out: { isTTY?: boolean }): Colours {
  return picocolors.createColors(mayColour(out))
}

/** Write the one result of a command to standard output: `value` for programs, else `text` (lines end in a newline). */
export function print(output: OutputForm, value: unknown, text: string | ((colours: Colours) => string)): void {
  if (output === 'text') process.stdout.write(typeof text === 'string' ? text : text(coloursFor(process.stdout)))
  else process.stdout.write(output === 'json' ? `${JSON.stringify(value)}\n` : yaml(value))
}

/** A value as YAML; what JSON leaves out is left out here, too. */
export function yaml(value: unknown): string {
  return dump(JSON.parse(JSON.stringify(value)), { lineWidth: -1, noRefs: true })
}

/** Where the events of a command that stays go. */
export function reportTo(output: OutputForm, quiet = false, out: NodeJS.WriteStream = process.stdout): Report {
  if (output === 'json') return jsonReport(out)
  if (output === 'yaml') return event => void out.write(`---\n${yaml(event)}`)
  if (quiet) return quietReport(process.stderr)
  // Where nothing can move, or nobody looks, the spinner would only add lines.
  const lively = out.isTTY === true && process.env.TERM !== 'dumb' && process.env.CI === undefined
  return lively ? terminalReport(out) : colouredReport(out)
}

/** An error, where errors belong: standard error as text, standard output for programs. */
export function reportError(output: OutputForm, event: SessionEvent): void {
  if (output === 'text') colouredReport(process.stderr)(event)
  else reportTo(output)(event)
}

/** Only what needs attention. */
function quietReport(out: NodeJS.WriteStream): Report {
  const report = colouredReport(out)
  return event => {
    if (event.event === 'warning' || event.event === 'state' || event.event === 'error') report(event)
  }
}

function colouredReport(out: NodeJS.WriteStream): Report {
  if (!mayColour(out)) return textReport(out)
  const colours = coloursFor(out)
  return event => {
    out.write(`${paint(event, colours)}\n`)
  }
}

/** The same lines, and below them a spinner until everything works or has ended. */
function terminalReport(out: NodeJS.WriteStream): Report {
  const report = colouredReport(out)
  // Signals stay ours: the spinner would end the process before everything is put back.
  const spinner = yoctoSpinner({ stream: out, handleSignals: false, text: 'Starting' })
  return event => {
    spinner.stop()
    report(event)
    if (event.event === 'start' || event.event === 'step') spinner.start('Working')
    else if (event.event === 'progress') spinner.start(event.text)
    else if (event.event === 'stopping') spinner.start('Putting everything back')
  }
}

/** The text of an event with the colours of its kind. */
function paint(event: SessionEvent, { green, yellow, red, dim, bold }: Colours): string {
  const text = describe(event)
  switch (event.event) {
    case 'step':
    case 'restored':
      return text.replace(/^✓/, green('✓')).replace(/ \([\d.]+ m?s\)$/, dim)
    case 'warning':
    case 'state':
      return yellow(text)
    case 'error':
      return text.replace(/^kt:/, red('kt:'))
    case 'progress':
    case 'route':
    case 'note':
      return dim(text)
    case 'ready':
      return bold(text)
    default:
      return text
  }
}
