// `-D`: the same command again as a process of its own, whose start is watched until it is ready or has failed.
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { KtError } from '../errors.ts'
import { stateDirectory } from '../host/state.ts'
import { type Report, type SessionEvent, textReport } from '../session/report.ts'
import type { GlobalFlags } from './global.ts'
import { reportTo } from './output.ts'

/** Set in the background process: its events go to the one that started it, then to its log. */
const CHILD = 'KT_DETACHED_LOG'

/** Start the command in the background; resolves when it is ready. Its errors appear here as they would in the foreground. */
export async function detach(
  { output, quiet = false }: Pick<GlobalFlags, 'output' | 'quiet'>,
  name = 'up'
): Promise<void> {
  const log = join(stateDirectory('log'), `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.log`)
  const fd = openSync(log, 'a', 0o600)
  const all = process.argv.slice(1)
  const end = all.indexOf('--') // what stands behind it belongs to another program
  const argv = all.filter((a, i) => (a !== '-D' && a !== '--detach') || (end >= 0 && i > end))
  const child = spawn(process.execPath, [...process.execArgv, ...argv], {
    detached: true,
    stdio: ['ignore', fd, fd, 'ipc'],
    windowsHide: true,
    env: { ...process.env, [CHILD]: log }
  })
  const report = reportTo(output, quiet)
  const interrupt = (): void => {
    child.kill('SIGINT')
  }
  process.on('SIGINT', interrupt)
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('message', message => {
        const event = message as SessionEvent
        if (event.event === 'error') {
          reject(new KtError(event.code, event.message, { hint: event.hint }))
          return
        }
        report(event)
        if (event.event === 'ready') resolve()
      })
      child.on('error', reject)
      child.on('exit', code =>
        reject(new KtError('KT_INTERNAL', `the background process ended with code ${code}`, { hint: `see ${log}` }))
      )
    })
  } finally {
    process.off('SIGINT', interrupt)
  }
  if (output === 'text' && !quiet)
    process.stdout.write(
      `In the background as process ${child.pid}; kt status tells how it is, kt down ends it. Log: ${log}\n`
    )
  child.disconnect()
  child.unref()
}

/** The log file this process writes to, or empty in the foreground. */
export const detachedLog = (): string => process.env[CHILD] ?? ''

/** In the background process: events to the parent while it listens, and to the log. */
export function reportToParent(): Report | undefined {
  if (detachedLog() === '' || process.send === undefined) return undefined
  const toLog = textReport(process.stdout)
  return event => {
    toLog(event)
    if (process.connected) process.send?.(event)
  }
}
