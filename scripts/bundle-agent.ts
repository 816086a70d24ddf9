// The agent as one file that any stock Node ≥ 20 runs: what goes into the ConfigMap of the shadow.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Largest bundle, bytes; a ConfigMap takes 1 MiB, and every `kt up` sends it. */
const MAX_BYTES = 200_000

const root = new URL('..', import.meta.url)

/** The text of the bundle, CommonJS, minified. */
export async function bundleAgent(): Promise<string> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('shadow-agent/main.ts', root))],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minify: true,
    // Names of errors and of functions in stack traces stay readable.
    keepNames: true,
    legalComments: 'none',
    define: { KT_VERSION: JSON.stringify(version) }
  })
  const text = outputFiles[0]!.text
  if (text.length > MAX_BYTES) throw new Error(`the agent's bundle has ${text.length} bytes, more than ${MAX_BYTES}`)
  return text
}
