// Kubeconfig files in a folder of their own.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A new empty folder; the operating system clears it away. */
export function folder(): string {
  return mkdtempSync(join(tmpdir(), 'kt-kubeconfig-'))
}

/** Write `content` and return the path. */
export function write(directory: string, name: string, content: string): string {
  const file = join(directory, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

/** A whole kubeconfig with one context `name`, JSON being YAML. */
export function kubeconfig(name: string, cluster: object, user: object = {}, namespace?: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }]
  })
}
