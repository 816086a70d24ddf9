// koffi, which calls functions of C. Loaded when a device is opened, not before: the commands that need none run without it.
import { KtError } from '../errors.ts'

export type Koffi = typeof import('koffi')['default']

/** Rejects with KT_PLATFORM where koffi has no binary for this machine. */
export async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import('koffi')).default
  } catch (cause) {
    throw new KtError('KT_PLATFORM', `no native module (koffi) for ${process.platform} on ${process.arch}`, {
      hint: 'Install again without --omit=optional: koffi ships its binaries as optional dependencies',
      cause
    })
  }
}
