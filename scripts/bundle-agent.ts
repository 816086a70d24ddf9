// The agent as one file that any stock Node ≥ 20 runs: what goes into the ConfigMap of the shadow. And its ssh door, another one beside it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** Largest bundle, bytes; a ConfigMap takes 1 MiB, and every `kt up` sends it. */
const MAX_BYTES = 200_000
/** Of the ssh door, which is sent only where it is asked for. */
const SSH_MAX_BYTES = 320_000

const root = new URL('..', import.meta.url)

/** Of ssh2, what a server without files does not need; what it requires in vain is for native code, which it does without. */
const serverOnly: Plugin = {
  name: 'ssh2-server',
  setup({ onLoad }) {
    onLoad({ filter: /ssh2\/lib\/(client|http-agents|protocol\/SFTP)\.js$/ }, () => ({
      contents: 'module.exports = {}'
    }))
  }
}

/** The text of the bundle, CommonJS, minified. */
export async function bundleAgent(): Promise<string> {
  return await bundle('shadow-agent/main.ts', MAX_BYTES, false)
}

/** The text of the ssh door's bundle, likewise. */
export async function bundleSshDoor(): Promise<string> {
  return await bundle('shadow-agent/ssh/ssh-door.ts', SSH_MAX_BYTES, true)
}

/** Short names are a quarter less to send; but then every closure is given its name when it is made, an eighth of what a connection costs a router. */
async function bundle(entry: string, maxBytes: number, shortNames: boolean): Promise<string> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, root))],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: shortNames,
    // Names of errors and of functions in stack traces stay readable.
    keepNames: shortNames,
    legalComments: 'none',
    define: { KT_VERSION: JSON.stringify(version) },
    plugins: [serverOnly],
    external: ['cpu-features', '*.node']
  })
  const text = outputFiles[0]!.text
  if (text.length > maxBytes) throw new Error(`the bundle of ${entry} has ${text.length} bytes, more than ${maxBytes}`)
  return text
}
