// What must be true of this computer before anything is begun, and what a dead kt left on it.
import { recoverJournals } from '../host/journal.ts'
import { stateDirectory } from '../host/state.ts'
import { platform } from './platform.ts'
import { sessions } from './registry.ts'
import { alreadyRuns } from './several.ts'

/** Rejects with KtError when `kt up` cannot work here: system, rights, driver, the place of another `kt up`. Changes nothing. */
export async function checkLaptop(): Promise<void> {
  await platform.demandRights()
  await platform.demandDriver()
  // Where a device has no name of ours, there is one place.
  const running = process.platform === 'linux' ? undefined : sessions().find(({ command }) => command === 'up')
  if (running !== undefined) throw alreadyRuns(running)
}

/** Put back what processes that are gone had changed on this laptop; one line for each thing. */
export function recoverLaptop(): Promise<string[]> {
  return recoverJournals(stateDirectory('journal'))
}
