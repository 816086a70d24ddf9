// What the kernel says about a dial, as far as it can be had without leaving this computer.
import { spawnSync } from 'node:child_process'
import test from 'ava'
import { verdictOf } from '../../lib/tunnel/errno.ts'

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code })
}

test('each errno has the verdict of the table', t => {
  for (const [code, verdict] of [
    ['ECONNREFUSED', 'refused'],
    ['ECONNRESET', 'reset'],
    ['EHOSTUNREACH', 'unreachable'],
    ['ENETUNREACH', 'unreachable'],
    ['ETIMEDOUT', 'timeout'],
    ['ENOTFOUND', 'not-found'],
    ['EACCES', 'denied'],
    ['EMFILE', 'busy'],
    ['EBADF', 'failed']
  ] as const) {
    t.is(verdictOf(withCode(code)), verdict)
  }
  t.is(verdictOf(new AggregateError([withCode('ECONNREFUSED'), withCode('EHOSTUNREACH')])), 'refused')
  t.is(verdictOf('no error at all'), 'failed')
})

/** Dial in a network namespace of its own, where nothing is reachable: not even this computer's gateway. */
const script = `
  import { connect } from 'node:net'
  import { verdictOf } from ${JSON.stringify(new URL('../../lib/tunnel/errno.ts', import.meta.url).href)}
  for (const host of ['10.96.0.7', 'fd00::7'])
    connect(80, host).on('error', error => console.log(host, verdictOf(error))).on('connect', () => console.log(host, 'opened'))
`
const run = spawnSync('unshare', ['-n', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' })
const isolated = run.status === 0 ? test : test.skip
isolated('no route is unreachable (needs the right to make a network namespace)', t => {
  t.deepEqual(run.stdout.trim().split('\n').sort(), ['10.96.0.7 unreachable', 'fd00::7 unreachable'])
})
