import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { KtError } from '../../lib/errors.ts'
import { run } from '../../lib/host/run.ts'
import { giveToInvoker, processStart, stateDirectory } from '../../lib/host/state.ts'

test.serial('the state directory is made below KT_HOME, for its owner only', t => {
  const home = mkdtempSync(join(tmpdir(), 'kt-home-'))
  process.env.KT_HOME = join(home, 'deep')
  t.teardown(() => {
    delete process.env.KT_HOME
    rmSync(home, { recursive: true })
  })
  const path = stateDirectory('journal')
  t.is(path, join(home, 'deep', 'journal'))
  for (const each of [path, join(home, 'deep')]) t.is(lstatSync(each).mode & 0o777, 0o700)
  t.is(stateDirectory('journal'), path)
  writeFileSync(join(home, 'deep', 'file'), '')
  t.is(t.throws(() => stateDirectory('file'), { instanceOf: KtError }).code, 'KT_JOURNAL')
})

test.serial('with sudo the directories belong to the user who called it', t => {
  if (process.getuid?.() !== 0) {
    t.log('skipped: needs root')
    t.pass()
    return
  }
  const home = mkdtempSync(join(tmpdir(), 'kt-home-'))
  process.env.KT_HOME = join(home, 'deep')
  process.env.SUDO_UID = '1'
  t.teardown(() => {
    delete process.env.KT_HOME
    delete process.env.SUDO_UID
    rmSync(home, { recursive: true })
  })
  const path = stateDirectory('journal')
  t.is(lstatSync(path).uid, 1)
  t.is(lstatSync(join(home, 'deep')).uid, 1)
  t.is(lstatSync(home).uid, 0, 'what was there before is not given away')
  const file = join(path, 'file')
  writeFileSync(file, '')
  giveToInvoker(file)
  t.is(lstatSync(file).uid, 1)
})

test('without /proc, as on other systems, a living process is still told from a dead one', async t => {
  if (process.getuid?.() !== 0) return t.log('skipped: only root can take /proc away')
  const module = join(import.meta.dirname, '../../lib/host/state.ts')
  const script = `import { processStart } from ${JSON.stringify(module)}
    console.log([process.pid, process.ppid, 2 ** 22 + 1].map(pid => typeof processStart(pid)).join())`
  const hidden = 'mount -t tmpfs tmpfs /proc && exec "$0" --input-type=module -e "$1"'
  const { stdout, stderr } = await run('unshare', ['--mount', 'sh', '-c', hidden, process.execPath, script])
  t.is(stdout, 'string,string,undefined\n', stderr)
})

test('on macOS and Windows the program of the system is asked when a process began', t => {
  const home = mkdtempSync(join(tmpdir(), 'kt-home-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  const said = '#!/bin/sh\necho "$TZ $LC_ALL $@"\n'
  writeFileSync(join(home, 'ps'), said, { mode: 0o755 })
  mkdirSync(join(home, 'System32'))
  writeFileSync(join(home, 'System32', 'WindowsPowerShell\\v1.0\\powershell.exe'), said, { mode: 0o755 })
  const script = `import { processStart } from ${JSON.stringify(join(import.meta.dirname, '../../lib/host/state.ts'))}
    console.log(processStart(process.ppid))`
  const ask = (platform: string): string =>
    execFileSync(
      process.execPath,
      ['--import', new URL('../commands/_elsewhere.mjs', import.meta.url).href, '--input-type=module', '-e', script],
      {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${home}:${process.env.PATH}`, SystemRoot: home, KT_TEST_PLATFORM: platform }
      }
    )
  t.is(ask('darwin'), `UTC C -o lstart= -p ${process.pid}\n`)
  t.true(
    ask('win32').endsWith(
      `(Get-CimInstance Win32_Process -Filter 'ProcessId = ${process.pid}').CreationDate.ToUniversalTime().Ticks\n`
    )
  )
})

test('processStart knows a process from others that had its number', async t => {
  const own = processStart(process.pid)
  t.truthy(own)
  t.is(processStart(process.pid), own)
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  t.truthy(processStart(child.pid!))
  t.not(processStart(child.pid!), own)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.is(processStart(child.pid!), undefined)
  t.is(processStart(2 ** 30), undefined)
})

test('run: output, failure, input, a missing program and a time limit', async t => {
  t.deepEqual(await run('cat', [], { input: 'hello' }), { ok: true, stdout: 'hello', stderr: '' })
  t.like(await run('sh', ['-c', 'echo no >&2; exit 3']), { ok: false, stderr: 'no' })
  t.like(await run('sh', ['-c', 'echo $LC_ALL']), { stdout: 'C\n' })
  t.like(await run('true', [], { input: 'x'.repeat(1 << 20) }), { ok: true })
  const error = await t.throwsAsync(run('kt-no-such-program', []), { instanceOf: KtError })
  t.is(error.code, 'KT_NO_TOOL')
  const began = performance.now()
  t.like(await run('sleep', ['60'], { limitMs: 100 }), { ok: false, stderr: 'sleep: no end after 100 ms' })
  t.true(performance.now() - began < 5000)
})
