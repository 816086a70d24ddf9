// `kt down`: ends the kt processes of this laptop and waits until they have put everything back.

import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { processStart } from '../host/state.ts'
import { askControl } from '../session/control.ts'
import { recoverLaptop } from '../session/laptop.ts'
import type { SessionState } from '../session/registry.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'
import { meant } from './which.ts'

/** Longer than the undo of a session takes on a slow cluster. */
const STOP_LIMIT_MS = 60_000
const LOOK_EVERY_MS = 50

export function downCommand(done: (code: number) => void): Command {
  return new Command('down')
    .description('end every kt that runs on this laptop and put everything back')
    .addHelpText(
      'after',
      `
Examples:
  kt down
  kt down --context west       of several only those of this context; -n, those of a namespace`
    )
    .action(async (_: unknown, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalFlags>()
      const running = meant(command)
      // The last one first: the one that is asked for names need not hand over.
      for (const session of running.toReversed()) await end(session)
      const restored = await recoverLaptop()
      const lines = [
        ...running.map(s => `✓ kt ${s.command} (process ${s.pid}, context ${s.context}) has ended`),
        ...restored.map(text => `✓ ${text}`)
      ]
      if (lines.length === 0) lines.push('kt is not running here, there is nothing to put back')
      print(output, { ended: running.map(s => s.pid), restored }, `${lines.join('\n')}\n`)
      done(0)
    })
}

async function end(session: SessionState): Promise<void> {
  await askControl(session.socket, 'POST', '/stop').catch(() => process.kill(session.pid, 'SIGTERM'))
  const deadline = performance.now() + STOP_LIMIT_MS
  while (processStart(session.pid) === session.started) {
    if (performance.now() > deadline) {
      throw new KtError('KT_INTERNAL', `process ${session.pid} has not ended after ${STOP_LIMIT_MS / 1000} s`, {
        hint: `kill -9 ${session.pid}, then kt down puts the laptop back`
      })
    }
    await sleep(LOOK_EVERY_MS)
  }
}
