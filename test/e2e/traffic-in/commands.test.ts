// Several exchanges and previews in one process, beside another one, and in the background; --external, --grace, and --expose asked for.
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { imageArguments, KT } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { becomes, SOON_MS } from './_support/callers.ts'
import { clear, exchange, HOME, HTTP, kt, NAMESPACE, OWN_PORT, prepare, preview, userFile } from './_support/ground.ts'
import { kt0, network } from './_support/network.ts'
import { objects } from './_support/objects.ts'

const CLEAN = 'No unavailing kt resource found (^.^)YYa!!\n'

test.before(() => prepare('shop', 'stock', 'cart'))
test.after.always(clear)
test.beforeEach(async t => {
  t.context = await objects()
})
test.afterEach(async t => {
  let found = { gone: [''], come: [''] }
  await eventually(true, SOON_MS, async () => {
    found = difference(t.context as string[], await objects())
    return found.gone.length + found.come.length === 0
  })
  t.deepEqual(found, { gone: [], come: [] })
})

const get = async (url: string): Promise<string> => (await laptop('curl', ['-sS', '-g', '--max-time', '5', url])).stdout

test.serial(
  'kt up with two exchanges and a preview: one process, undone in reverse; a third exchange beside it, in its own',
  async t => {
    await network(t)
    const flags = ['--exchange', `shop:${HTTP}:80`, '--exchange', `stock:${HTTP}:http`]
    const running = await kt0([...flags, '--preview', `shop-next:${HTTP}:80`])
    for (const line of [/request to service 'shop' /, /request to service 'stock' /, /by name 'shop-next'/])
      t.regex(running.output(), line)
    for (const service of ['shop', 'stock', 'shop-next']) await becomes(t, `http://${service}/`, 'local')
    t.regex(await get('http://cart/'), /^(?!local)/)
    const beside = await exchange('cart', `${HTTP}:80`)
    t.is(await eventually('local /\n', SOON_MS, () => get('http://cart/')), 'local /\n', 'from the laptop, by kt up')
    const { stdout } = await kt('status')
    for (const name of ['shop', 'stock', 'shop-next', 'cart']) t.regex(stdout, new RegExp(`exposed: service ${name}: `))
    t.is((await beside.stop()).code, 0)
    const ended = await running.stop()
    t.is(ended.code, 0, ended.stderr)
    const undone = [
      /Service shop-next removed/,
      /service stock recovered/,
      /service shop recovered/,
      /Tun device kt0 and its routes removed/
    ]
    const places = undone.map(line => ended.stdout.search(line))
    t.deepEqual(
      places,
      places.toSorted((a, b) => a - b)
    )
    t.true((places[0] ?? -1) > 0, ended.stdout)
    for (const service of ['shop', 'stock']) await becomes(t, `http://${service}/`, 'pod')
  }
)

test.serial('what is wrong with one of several is said before any of them is begun', async t => {
  await network(t)
  const up = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await kt('up', ...imageArguments(), '--exchange', `shop:${HTTP}:80`, ...args)
    return `${code} ${stderr.split('\n')[0]}`
  }
  t.is(await up('--preview', `shop:${HTTP}:80`), "4 kt: there is a service 'shop' already; nothing has been changed")
  t.is(await up('--exchange', `shop:${HTTP}:7000`), '2 kt: service/shop is named twice')
  t.is(await up('--exchange', 'stock:1:80'), '3 kt: nobody listens at 127.0.0.1:1; nothing has been changed')
  t.is(await up('--exchange', 'stock'), '2 kt: --expose is missing; service stock has: http 80 → web')
  t.is(await up('--preview', 'next'), '2 kt: --expose is missing')
})

test.serial('-D: exchange, preview and forward go to the background when they work; kt down ends all', async t => {
  const detached = async (...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await kt(...args, '-D', ...imageArguments())
    t.is(code, 0, stderr)
    t.regex(stdout, /^In the background as process \d+; kt status tells how it is/m)
  }
  await detached('exchange', 'shop', '--expose', `${HTTP}:80`)
  await detached('preview', 'shop-next', '--expose', `${HTTP}:80`)
  await detached('forward', 'stock', `${OWN_PORT}:80`)
  for (const service of ['shop', 'shop-next']) await becomes(t, `http://${service}/`, 'local')
  t.is(
    (await laptop('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', `http://127.0.0.1:${OWN_PORT}/`])).stdout,
    '200'
  )
  const refused = await kt('exchange', 'shop', '--expose', '1:80', '-D')
  t.is(refused.code, 4)
  const down = await kt('down')
  t.is(down.code, 0, down.stderr)
  t.regex(down.stdout, /kt exchange .*\n.*kt preview .*\n.*kt forward /)
})

test.serial(
  'preview --external: reached at a port of the nodes, and the address of a load balancer is said',
  async t => {
    const running = await preview('outside', `${HTTP}:80`, '--external')
    t.teardown(() => running.stop())
    const port = /from outside: port (\d+) of every node/.exec(running.output())?.[1]
    const node = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[0].address}'])
    await becomes(t, `http://${node}:${port}/`, 'local')
    const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } } })
    const patch = ['-n', NAMESPACE, 'patch', 'service', 'outside', '--subresource=status', '--type=merge', '-p', status]
    await kubectl(patch)
    const said = (): Promise<boolean> => Promise.resolve(running.output().includes('from outside: 192.0.2.10:80'))
    t.true(await eventually(true, SOON_MS, said), running.output())
    t.is((await running.stop()).code, 0)
  }
)

test.serial('--grace: the agent of a preview whose laptop has gone ends after it; clean takes the rest', async t => {
  const running = await preview('brief', `${HTTP}:80`, '--grace', '5')
  await running.stop('SIGKILL')
  const killed = Date.now()
  const phase = (): Promise<string> =>
    kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', 'kt-role=shadow-preview', '-o', 'jsonpath={.items[*].status.phase}'])
  t.is(await eventually('Succeeded', 30_000, phase), 'Succeeded')
  t.log(`ended ${Date.now() - killed} ms after SIGKILL`)
  t.true(Date.now() - killed > 4000)
  t.is((await kt('clean', '--thresholdInMinus', '0')).code, 0)
  t.is((await kt('clean', '--dryRun')).stdout, CLEAN)
  const refused = await kt('preview', 'brief', '--expose', `${HTTP}:80`, '--grace', '1')
  t.is(refused.code, 2)
  t.regex(refused.stderr, /5 to 86400 seconds/)
})

test.serial('on a terminal --expose is asked for, with the ports that exist', async t => {
  // `exec`, because a shell that waits takes the Ctrl-C for its own end, too: dash does, where SHELL is not set.
  const words = ['exec', process.execPath, KT, 'exchange', 'shop', '--kubeconfig', userFile(), ...imageArguments()]
  const child = spawnOnLaptop('script', ['-qec', words.join(' '), join('/dev', 'null')], {
    env: { ...HOME.env, TERM: 'xterm' }
  })
  const output = collect(child.stdout)
  const ended = once(child, 'close')
  const sees = async (text: string): Promise<void> => {
    t.true(await eventually(true, 30_000, () => Promise.resolve(output().includes(text))), output())
  }
  await sees('Which port of shop is to come to this laptop?')
  for (const port of ['http 80 → web', 'tcp 7000', 'udp 7000/udp']) await sees(port)
  child.stdin.write('\r')
  await sees('Local port for http 80 → web [8080]: ')
  child.stdin.write(`${HTTP}\r`)
  await sees("Now all request to service 'shop' will be redirected to local")
  await becomes(t, 'http://shop/', 'local')
  child.stdin.write('\x03')
  const [code] = (await ended) as [number]
  t.is(code, 0, output())
})
