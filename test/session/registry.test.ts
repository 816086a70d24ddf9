// State files and control sockets, with a state directory of the test's own.
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { networkNamespace, processStart } from '../../lib/host/state.ts'
import { askControl, isPipe, serveControl } from '../../lib/session/control.ts'
import { register, type SessionState, sessions, socketPath } from '../../lib/session/registry.ts'

process.env.KT_HOME = mkdtempSync(join(tmpdir(), 'kt-registry-'))

const state = (change: Partial<SessionState> = {}): SessionState => ({
  pid: process.pid,
  started: processStart(process.pid) ?? '',
  network: networkNamespace(),
  command: 'up',
  version: '0.0.0',
  context: 'dev',
  server: 'https://192.0.2.1:6443/',
  namespace: 'shop',
  since: 1,
  socket: socketPath(process.pid),
  log: '',
  ...change
})

test.serial('a session is found while it lives, and its files go with it', t => {
  const forget = register(state())
  t.deepEqual(sessions(), [state()])
  t.is(statSync(join(process.env.KT_HOME ?? '', 'run', `${process.pid}.json`)).mode & 0o777, 0o600)
  forget()
  t.deepEqual(sessions(), [])
})

test.serial('files of a dead process, of a reused pid and torn files deceive nobody', t => {
  const run = join(process.env.KT_HOME ?? '', 'run')
  writeFileSync(join(run, '999999.json'), JSON.stringify(state({ pid: 999_999 })))
  writeFileSync(join(run, '1.json'), JSON.stringify(state({ pid: 1, started: 'another' })))
  writeFileSync(join(run, 'torn.json'), '{"pid": 12')
  t.deepEqual(sessions(), [])
  t.false(existsSync(join(run, '999999.json')))
})

test('on Windows it is a named pipe that nobody can guess', t => {
  const pipe = socketPath(7, 'win32')
  t.regex(pipe, /^\\\\\.\\pipe\\kt-7-[0-9a-f-]{36}$/)
  t.not(socketPath(7, 'win32'), pipe)
  t.true(isPipe(pipe))
  t.false(isPipe(socketPath(7, 'darwin')))
})

test.serial('another network namespace is another laptop', t => {
  const forget = register(state({ network: 'net:[1]' }))
  t.deepEqual(sessions(), [])
  forget()
})

test.serial('the control socket answers its owner only, and says no to what it does not know', async t => {
  let stopped = 0
  const path = socketPath(process.pid)
  const close = await serveControl(path, {
    status: () => ({ state: 'connected' }),
    explain: async (name, type) => (name === 'nginx' ? { name, type } : undefined),
    capture: () => undefined,
    dashboard: async () => undefined,
    stop: () => void stopped++
  })
  t.is(statSync(path).mode & 0o777, 0o600)
  t.deepEqual(await askControl(path, 'GET', '/status'), { state: 'connected' })
  t.deepEqual(await askControl(path, 'GET', '/stop'), { error: 'unknown' })
  t.deepEqual(await askControl(path, 'GET', '/dns?name=nginx&type=SRV'), { name: 'nginx', type: 'SRV' })
  t.deepEqual(await askControl(path, 'GET', '/dns?name='), { error: 'no such name or type' })
  t.is(stopped, 0)
  await askControl(path, 'POST', '/stop')
  t.is(stopped, 1)
  close()
  await t.throwsAsync(askControl(path, 'GET', '/status'))
})
