// `kt status`: what runs on this laptop and how it is, asked from the processes themselves.
import { Command } from 'commander'
import { askControl } from '../session/control.ts'
import type { SessionState } from '../session/registry.ts'
import type { SessionStatus } from '../session/status.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'
import { meant } from './which.ts'

interface Row extends SessionState {
  status: SessionStatus | { state: 'unresponsive' }
}

export function statusCommand(done: (code: number) => void): Command {
  return new Command('status')
    .description('what kt does on this laptop right now')
    .addHelpText(
      'after',
      `
Exit code 0: connected. 1: nothing runs, or it is not connected at the moment.
Examples:
  kt status
  kt status --context west     of several only those of this context
  kt status --output json`
    )
    .action(async (_: unknown, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalFlags>()
      const rows = await Promise.all(
        meant(command).map(async (s): Promise<Row> => {
          const status = await askControl(s.socket, 'GET', '/status').catch(() => ({ state: 'unresponsive' as const }))
          return { ...s, status: status as SessionStatus }
        })
      )
      print(output, rows, rows.map(row => `${text(row)}\n`).join('') || 'kt is not running here\n')
      done(rows.length > 0 && rows.every(r => r.status.state === 'connected') ? 0 : 1)
    })
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const clock = (ms: number): string => new Date(ms).toTimeString().slice(0, 8)

function text(row: Row): string {
  const head = `kt ${row.command}: ${row.status.state}, process ${row.pid} since ${clock(row.since)}, context ${row.context} (${row.server}), namespace ${row.namespace}`
  if (row.status.state === 'unresponsive') return `${head}\n  its control socket does not answer: ${row.socket}`
  const s = row.status
  return [
    head,
    `  carrier: ${s.state} since ${clock(s.stateSince)}${s.state === 'connected' || s.detail === '' ? '' : ` (${s.detail})`}, pod ${s.pod}, round trip ${s.roundTripMs.toFixed(1)} ms, ${mebibytes(s.bytesIn)} in, ${mebibytes(s.bytesOut)} out`,
    ...s.exposed.map(text => `  exposed: ${text}`),
    ...s.forwarded.map(text => `  forwarded: ${text}`),
    ...(s.device === '' ? [] : [`  device: ${s.device}, ${s.connections} connections, ${s.flows} UDP flows`]),
    ...s.routes.map(r => `  route: ${r.cidr} (${r.reason})`),
    ...(s.dns === '' ? [] : [`  DNS: ${s.dns}`]),
    ...(s.suffix ? [`  names of this one alone: *.${s.suffix}`] : [])
  ].join('\n')
}
