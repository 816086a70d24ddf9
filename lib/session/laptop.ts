// What must be true of this computer before anything is begun, and what a dead kt left on it.
import { accessSync, constants } from 'node:fs'
import { KtError } from '../errors.ts'
import { recoverJournals } from '../host/journal.ts'
import { stateDirectory } from '../host/state.ts'
import { sessions } from './registry.ts'

const TUN = '/dev/net/tun'

/** Throws KtError when `kt up` cannot work here: system, rights, TUN, another `kt up`. Changes nothing. */
export function checkLaptop(): void {
  if (process.platform !== 'linux') {
    throw new KtError('KT_PLATFORM', `kt up does not run on ${process.platform} yet`, { hint: 'Linux is supported' })
  }
  if (process.getuid?.() !== 0) {
    throw new KtError('KT_NOT_ROOT', 'kt up must be root to make a network device', { hint: 'try: sudo kt up' })
  }
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw new KtError('KT_NO_TUN', `${TUN} is not there or may not be opened`, {
      hint: 'modprobe tun; in a container: --device /dev/net/tun --cap-add NET_ADMIN',
      cause
    })
  }
  const running = sessions().find(s => s.command === 'up')
  if (running !== undefined) {
    throw new KtError(
      'KT_RUNNING',
      `kt up already runs here: process ${running.pid}, context ${running.context}, namespace ${running.namespace}, since ${new Date(running.since).toLocaleString()}`,
      { hint: 'kt status tells more, kt down ends it' }
    )
  }
}

/** Put back what processes that are gone had changed on this laptop; one line for each thing. */
export function recoverLaptop(): Promise<string[]> {
  return recoverJournals(stateDirectory('journal'))
}
