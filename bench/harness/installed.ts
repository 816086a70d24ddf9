// kt as users install it, from the sources as they are: bin/kt.ts strips types while it runs, which is a fifth of its memory.
import { join } from 'node:path'
import { run } from '../../test/cluster/run.ts'

const ROOT = join(import.meta.dirname, '../..')

let built: Promise<string> | undefined

/** The program of the package, in `dist`, built anew for the first who asks; rejects with what the compiler says. */
export function installedKt(): Promise<string> {
  built ??= build()
  return built
}

async function build(): Promise<string> {
  await run(process.execPath, [join(ROOT, 'scripts/build.ts')], { cwd: ROOT, env: process.env })
  return join(ROOT, 'dist/bin/kt.js')
}
