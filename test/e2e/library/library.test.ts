// import { connect } from 'kt': every client of a connection, two at once, and an end that leaves nothing.
import { join } from 'node:path'
import test from 'ava'
import { imageArguments } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { laptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'

const PEERS = join(import.meta.dirname, 'peers')
const image = imageArguments()[1] ?? 'node:24-alpine'
const shadows = async (): Promise<string> =>
  (await kubectl(['get', 'pods,configmaps,services', '-A', '-l', 'control-by=kt', '-o', 'name'])).trim()

test.serial('a program: dial, fetch, http, https, lookup, exchange and preview; then it ends by itself', async t => {
  const { code, stdout, stderr } = await laptop(process.execPath, [join(PEERS, 'clients.peer.ts'), image])
  t.is(code, 0, stderr)
  const { exitMs, ...found } = JSON.parse(stdout) as Record<string, unknown>
  t.deepEqual(found, {
    namespaces: ['demo', 'default'],
    other: [200, 'ENOTFOUND'],
    dial: 'HTTP/1.1 200 OK',
    udp: 1,
    fetch: 200,
    global: 200,
    agent: 200,
    again: 200,
    secure: 200,
    refused: 'ECONNREFUSED',
    unknown: 'ENOTFOUND',
    usage: 'KT_USAGE',
    abandoned: 'ECONNABORTED',
    lookup: 'string',
    all: [4],
    nowhere: 'ENOTFOUND',
    direct: '127.0.0.1',
    local: 'from here',
    preview: 'from here',
    exchange: 'from here',
    after: true,
    notFound: 'KT_NOT_FOUND'
  })
  t.true(Number(exitMs) < 1_000, `the process ended ${String(exitMs)} ms after the connections were closed`)
  t.is(await shadows(), '')
})

test.serial('what cannot be is a KtError, and leaves nothing', async t => {
  const script = `
    import { connect, KtError } from ${JSON.stringify(join(import.meta.dirname, '../../../lib/library/connect.ts'))}
    const image = ${JSON.stringify(image)}
    const said = error => console.log(error instanceof KtError ? error.code : error.name)
    await connect({ image, namespace: 'no-such-namespace' }).catch(said)
    await connect({ image, context: 'no-such-context' }).catch(said)
    await connect({ image, includeIps: ['x'] }).catch(said)
    await connect({ image, namespace: 'demo', signal: AbortSignal.timeout(300) }).catch(said)
    await connect({ image, namespace: 'demo', signal: AbortSignal.abort() }).catch(said)`
  const { stdout, stderr } = await laptop(process.execPath, ['--input-type=module', '-e', script])
  const codes = ['KT_NOT_FOUND', 'KT_KUBECONFIG', 'KT_USAGE', 'TimeoutError', 'AbortError']
  t.deepEqual(stdout.trim().split('\n'), codes, stderr)
  t.is(await eventually('', 10_000, shadows), '', 'a pod that was given up is not waited for')
})
