// The one place that knows where package.json lies, seen from the sources and from `dist`.
import { existsSync, readFileSync } from 'node:fs'

function packageFile(): URL {
  const near = new URL('../package.json', import.meta.url)
  return existsSync(near) ? near : new URL('../../package.json', import.meta.url)
}

export const version: string = (JSON.parse(readFileSync(packageFile(), 'utf8')) as { version: string }).version
