// Told when a file of the system is written, replaced or removed.
import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/** A writer needs this long for all of its lines; then it is looked at once. */
const SETTLE_MS = 200

/**
 * Call `changed` a moment after anything has happened to `path`, until the result is called. The file itself is watched, because a bind
 * mount is written where its directory does not see it, and the directory, because a file is replaced by renaming another one.
 */
export function watchFile(path: string, changed: () => void): () => void {
  let file: FSWatcher | undefined
  let timer: NodeJS.Timeout | undefined
  const arm = (): void => {
    file?.close()
    file = tryWatch(path, something)
  }
  const something = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      arm() // another file may be there now
      changed()
    }, SETTLE_MS)
    timer.unref()
  }
  const name = basename(path)
  const directory = tryWatch(dirname(path), which => {
    if (which === name) something()
  })
  arm()
  return () => {
    clearTimeout(timer)
    file?.close()
    directory?.close()
  }
}

/** Undefined where it cannot be watched: then nothing is told. */
function tryWatch(path: string, happened: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, (_, name) => happened(name))
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}
