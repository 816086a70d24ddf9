// What the local program does is what callers in the cluster see: half-close, reset, refusal; who they are is told to it.
import test, { type ExecutionContext } from 'ava'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { SOON_MS, whoAnswers } from './_support/callers.ts'
import { clear, exchange, HTTP, inPod, kt, NAMESPACE, OWN_PORT as PORT, prepare, TCP } from './_support/ground.ts'
import { type Program, program } from './_support/programs.ts'

let local: Program | undefined

test.before(() => prepare('shop'))
test.after.always(clear)
test.afterEach.always(async () => {
  await local?.stop()
  local = undefined
})

/** Say `text` at port 7000 of service shop, and end: `ended TEXT`, or the code of the error. */
async function say(text: string): Promise<string> {
  return inPod(`
    const { connect } = require('node:net')
    let heard = '', code = 'ended'
    const s = connect({ port: 7000, host: 'shop', allowHalfOpen: true }, () => s.write(${JSON.stringify(text)}))
    s.on('data', d => { heard += d })
    s.on('error', e => { code = e.code })
    s.on('end', () => { setTimeout(() => s.end('and late'), 200) })
    s.on('close', () => console.log((code + ' ' + heard).trim()))
    setTimeout(() => s.destroy(new Error('silence')), 8000).unref()`).then(out => out.trim())
}

async function becomes(t: ExecutionContext, wanted: string, look: () => Promise<string>): Promise<void> {
  t.is(await eventually(wanted, SOON_MS, look), wanted)
}

test.serial('half-close and reset reach the caller, and what he says after it reaches the program', async t => {
  local = await program('program.peer.ts', PORT)
  const running = await exchange('shop', `${PORT}:7000`)
  await becomes(t, 'ended greeting', () => say('greet\n'))
  await becomes(t, 'yes', async () => (local!.output().includes('heard greet and late\n') ? 'yes' : local!.output()))
  t.is(await say('die\n'), 'ECONNRESET')
  t.is((await running.stop()).code, 0)
})

test.serial(
  'a local program that stops: callers are refused, not connected, until it listens again; its other ports serve on',
  async t => {
    local = await program('program.peer.ts', PORT)
    const running = await exchange('shop', `${PORT}:7000`)
    await becomes(t, 'ended greeting', () => say('greet\n'))
    await local.stop()
    t.regex(await say('hex\n'), /^ECONN(RESET|REFUSED)$/)
    await becomes(t, 'ECONNREFUSED', () => say('hex\n'))
    t.is(await say('hex\n'), 'ECONNREFUSED')
    t.regex(running.output(), new RegExp(`! nobody listens at 127.0.0.1:${PORT} any more: callers are refused`))
    t.is(await whoAnswers('http://shop/'), 'pod')
    const ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    t.is(await kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', 'kt-role=shadow-exchange', '-o', ready]), 'True')
    local = await program('program.peer.ts', PORT)
    await becomes(t, 'ended greeting', () => say('greet\n'))
    t.regex(running.output(), new RegExp(`! somebody listens at 127.0.0.1:${PORT} again`))
    t.is((await running.stop()).code, 0)
  }
)

test.serial('--skipPortChecking: refused from the first caller on, served once the program is there', async t => {
  const running = await exchange('shop', `${PORT}:7000`, '--skipPortChecking')
  await becomes(t, 'ECONNREFUSED', () => say('hex\n'))
  local = await program('program.peer.ts', PORT)
  await becomes(t, 'ended greeting', () => say('greet\n'))
  t.is((await running.stop()).code, 0)
})

test.serial('--fallback: without its program the original pods serve, and nobody notices', async t => {
  const running = await exchange('shop', `${PORT}:80`, '--fallback', '--skipPortChecking')
  await becomes(t, 'pod', () => whoAnswers('http://shop/'))
  t.is((await running.stop()).code, 0)
})

test.serial('--proxyProtocol tells the program its caller; with --debug the log line does', async t => {
  local = await program('program.peer.ts', PORT)
  const running = await exchange('shop', `${PORT}:7000`, '--proxyProtocol', '--debug')
  const address = (
    await kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', 'app=caller', '-o', 'jsonpath={.items[0].status.podIP}'])
  ).trim()
  await becomes(t, 'yes', async () => {
    const answer = await say('hex\n')
    const bytes = Buffer.from(answer.replace('ended ', ''), 'hex')
    const isHeader =
      bytes.toString('latin1', 0, 12) === '\r\n\r\n\0\r\nQUIT\n' && bytes[12] === 0x21 && bytes[13] === 0x11
    const source = [...bytes.subarray(16, 20)].join('.')
    return isHeader && source === address && bytes.toString('latin1', 28) === 'hex\n' ? 'yes' : answer
  })
  const line = new RegExp(`^ {2}${address.replaceAll('.', '\\.')}:\\d+ → 7000/tcp → 127.0.0.1:${PORT}: opened$`, 'm')
  t.regex(running.output(), line)
  t.is((await running.stop()).code, 0)
})

test.serial('500 callers at once, each with his own answer', async t => {
  const running = await exchange('shop', `${HTTP}:80,${TCP}:7000`)
  await becomes(t, 'local', () => whoAnswers('http://shop/'))
  // All are there before the first one speaks. 25 come at a time: whom a busy laptop keeps waiting for 3 s, the originals get.
  const answers = await inPod(`
    const { connect } = require('node:net')
    let greeted = 0, good = 0, closed = 0
    const sockets = []
    const come = () => {
      if (sockets.length === 500) return
      const i = sockets.length
      let heard = ''
      const s = connect({ port: 7000, host: 'shop' })
      sockets.push(s)
      s.once('data', () => { if (++greeted === 500) sockets.forEach((other, j) => other.end('caller ' + j)); else come() })
      s.on('data', d => { heard += d })
      s.on('error', e => console.log(e.code))
      s.on('close', () => {
        if (heard === 'local caller ' + i) good++
        if (++closed === 500) console.log(good + ' of 500')
      })
    }
    for (let i = 0; i < 25; i++) come()`)
  t.is(answers, '500 of 500\n')
  t.is((await running.stop()).code, 0)
  t.is((await kt('clean', '--dryRun')).stdout, 'No unavailing kt resource found (^.^)YYa!!\n')
})
