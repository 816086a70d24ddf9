// A request as a command line that asks the local program again.
import type { Header, RequestRow } from '../model.ts'

/** curl says these itself, or they were only about the connection. */
const LEFT_OUT = new Set(['content-length', 'connection', 'transfer-encoding', 'keep-alive', 'expect'])

/** For a POSIX shell. `body`: as text; undefined when there is none, or none that can be written. */
export function asCurl({ method, path, to, requestHeaders }: RequestRow, body: string | undefined): string {
  const words = ['curl', '--path-as-is']
  // --head waits for no body, as -X HEAD would.
  if (method === 'HEAD') words.push('--head')
  else if (method !== (body === undefined ? 'GET' : 'POST')) words.push('-X', quoted(method))
  for (const [name, value] of kept(requestHeaders)) {
    // With a colon curl would leave out a header without a value.
    words.push('-H', quoted(value === '' ? `${name};` : `${name}: ${value}`))
  }
  if (body !== undefined) words.push('--data-raw', quoted(body))
  words.push(quoted(/^https?:/i.test(path) ? path : `http://${to}${path.startsWith('/') ? path : '/'}`))
  return words.join(' ')
}

function kept(headers: readonly Header[]): Header[] {
  return headers.filter(([name]) => !LEFT_OUT.has(name.toLowerCase()))
}

function quoted(word: string): string {
  return /^[\w.:/=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
