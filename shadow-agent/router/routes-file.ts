// The routes' file, read again when it has changed.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseRoutes, type RouterConfig } from '../../lib/router/config.ts'

/** Between two looks, ms. The kubelet replaces a link to the folder; not every file system tells of it. */
const LOOK_MS = 200

export interface Loaded {
  config: RouterConfig
  /** SHA-256 of its text, hex. */
  digest: string
}

export interface RoutesFileListener {
  /** Another valid file. */
  loaded(loaded: Loaded): void
  /** It cannot be read or is not valid; empty: it is as it was. The last one stays in force. */
  problem(text: string): void
}

/** Read it now; throws an Error of one line when it is not valid. */
export function loadRoutes(path: string): Loaded {
  return loadedFrom(readFileSync(path, 'utf8'))
}

/** Look again and again, until the returned function is called. */
export function watchRoutes(path: string, first: Loaded, listener: RoutesFileListener): () => void {
  let known = first.digest
  let inForce = first.digest
  const look = async (): Promise<void> => {
    let digest = ''
    try {
      const text = await readFile(path, 'utf8')
      digest = digestOf(text)
      if (digest === known) return
      known = digest
      const loaded = loadedFrom(text)
      if (digest !== inForce) listener.loaded(loaded)
      inForce = digest
      listener.problem('')
    } catch (error) {
      if (digest === '' && known === '') return // said already: it cannot be read
      known = digest
      listener.problem((error as Error).message)
    }
  }
  let timer = setTimeout(function again() {
    void look().finally(() => {
      if (!ended) timer = setTimeout(again, LOOK_MS)
    })
  }, LOOK_MS)
  let ended = false
  return () => {
    ended = true
    clearTimeout(timer)
  }
}

function loadedFrom(text: string): Loaded {
  return { config: parseRoutes(text), digest: digestOf(text) }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
