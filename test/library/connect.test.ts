// What `connect` says before there is a cluster. What it does with one is in test/e2e/library and test/e2e/ssh.
import test from 'ava'
import { type ConnectOptions, connect, KtError } from '../../lib/library/connect.ts'
import { folder, kubeconfig, write } from '../kube/_support/kubeconfig.ts'

// The ssh of a user who has nothing but a directory.
process.env.HOME = folder()
delete process.env.SUDO_UID
/** Nobody listens there. */
const file = write(folder(), 'config', kubeconfig('nowhere', { server: 'https://127.0.0.1:1' }))

async function refused(options: object): Promise<string> {
  try {
    await connect({ kubeconfig: file, ...(options as ConnectOptions) })
  } catch (error) {
    if (error instanceof KtError) return `${error.code} ${error.message}`
    throw error
  }
  return ''
}

test('the jump host is asked, and not the server', async t => {
  t.regex(await refused({}), /^KT_API_UNREACHABLE .*127\.0\.0\.1:1/)
  t.regex(await refused({ via: 'ssh://me@127.0.0.1:2' }), /^KT_JUMP_HOST cannot reach .*me@127\.0\.0\.1:2/)
})

test('what is no jump host and no carrier is said', async t => {
  t.is(await refused({ via: 'http://work' }), 'KT_USAGE --via: "http://work" is no jump host')
  t.is(await refused({ via: '' }), 'KT_USAGE --via: "" is no jump host')
  t.is(await refused({ via: new URL('ssh://work') }), 'KT_USAGE via is no text')
  t.is(await refused({ carrier: 'websocket' }), 'KT_USAGE carrier: there is no "websocket"')
  t.is(await refused({ carrier: 'websocket', via: 'http://work' }), 'KT_USAGE carrier: there is no "websocket"')
})
