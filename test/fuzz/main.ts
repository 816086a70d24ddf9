// npm run fuzz [-- --time SECONDS] [TARGET…]: inputs that reach new code are kept and changed further; then the properties of *.test.ts, for
// as long. An input that must not be is printed as base64: `--input BASE64 TARGET` runs it alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { random } from '../_support/random.ts'
import { Coverage } from './_coverage.ts'
import { mutate } from './_mutate.ts'
import { TARGETS, type Target } from './_targets.ts'

/** Asking V8 what has been reached costs milliseconds: it is asked once for so many inputs, and for each only if there was something. */
const BATCH = 64
const ROOT = join(import.meta.dirname, '../..')
const AVA = join(dirname(fileURLToPath(import.meta.resolve('ava'))), 'cli.js')
/** Properties of *.test.ts, each of which takes the time it is given. */
const PROPERTIES = 10

interface Options {
  time: number
  seed: number
  input?: string
}

class Finding extends Error {
  constructor(target: string, bytes: Uint8Array, cause: unknown) {
    const input = Buffer.from(bytes).toString('base64')
    super(`${target}: ${cause instanceof Error ? cause.stack : String(cause)}\n--input '${input}' '${target}'`)
  }
}

const program = new Command('npm run fuzz --')
  .argument('[targets...]', 'names as they are printed; default: all, and the properties')
  .option('--time <seconds>', 'for everything together', Number, 60)
  .option('--seed <number>', 'of the dice', Number, Date.now() % 2 ** 31)
  .option('--input <base64>', 'run this alone')
  .action(main)

async function main(names: string[], { time, seed, input }: Options): Promise<void> {
  const targets = names.length === 0 ? TARGETS : TARGETS.filter(({ name }) => names.includes(name))
  if (input !== undefined) {
    for (const target of targets) await run(target, Buffer.from(input, 'base64'))
    return
  }
  process.stdout.write(`seed ${seed}\n`)
  const forProperties = names.length === 0 ? time / 2 : 0
  const coverage = new Coverage()
  await coverage.start()
  const each = ((time - forProperties) / targets.length) * 1000
  for (const target of targets) await search(coverage, target, each, random(seed))
  coverage.stop()
  if (forProperties > 0) process.exitCode = await properties(forProperties)
}

async function run({ name, run: once }: Target, bytes: Uint8Array): Promise<void> {
  try {
    await once(bytes)
  } catch (error) {
    throw new Finding(name, bytes, error)
  }
}

async function search(coverage: Coverage, target: Target, ms: number, dice: () => number): Promise<void> {
  coverage.forget()
  const corpus: Uint8Array[] = [...target.seeds]
  const end = performance.now() + ms
  let runs = 0
  for (const bytes of corpus) await run(target, bytes)
  await coverage.isNew(true)
  while (performance.now() < end) {
    const batch = Array.from({ length: BATCH }, () => mutate(corpus, dice))
    for (const bytes of batch) await run(target, bytes)
    runs += BATCH
    if (!(await coverage.isNew(false))) continue
    for (const bytes of batch) {
      await run(target, bytes)
      if (await coverage.isNew(true)) corpus.push(bytes)
    }
  }
  const { functions, missing } = coverage.counts
  const kept = corpus.length - target.seeds.length
  process.stdout.write(
    `✓ ${target.name}: ${runs} inputs, ${kept} led further; ${functions} functions, ${missing} blocks of them not reached\n`
  )
}

/** The properties, with fast-check; the exit code of AVA. */
async function properties(seconds: number): Promise<number> {
  const each = Math.max(1, seconds / PROPERTIES)
  const env = { ...process.env, KT_FUZZ_MS: String(each * 1000), FUZZ_SECONDS: String(each) }
  const child = spawn(process.execPath, [AVA, '--config', 'fuzz.config.js', '--concurrency=1'], {
    cwd: ROOT,
    stdio: 'inherit',
    env
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

const home = mkdtempSync(join(tmpdir(), 'kt-fuzz-'))
process.env.KT_HOME = home
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof Finding)) throw error
  process.stderr.write(`✗ ${error.message}\n`)
  process.exitCode = 1
} finally {
  rmSync(home, { recursive: true, force: true })
}
