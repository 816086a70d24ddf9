// kt up -D, kt status, kt down, and the events of --output json.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { imageArguments, kt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from './_support/eventually.ts'
import { difference, snapshots } from './_support/snapshot.ts'

const KT = join(import.meta.dirname, '../../../bin/kt.ts')
const NGINX = ['-sS', '-o', '/dev/null', '--max-time', '10', 'http://nginx/']

// What a killed kt of another area has left would go with the first kt up.
test.before(async () => {
  await kubectl(['-n', 'demo', 'delete', 'pods,configmaps', '-l', 'control-by=kt', '--ignore-not-found'])
})
test.afterEach.always(async () => {
  await kt(['down'])
})

test.serial('-D: in the background, seen by kt status, ended by kt down', async t => {
  const before = await snapshots()
  const none = await kt(['status'])
  t.deepEqual({ code: none.code, stdout: none.stdout }, { code: 1, stdout: 'kt is not running here\n' })

  const started = await kt(['up', ...imageArguments(), '--namespace', 'demo', '-D'])
  t.is(started.code, 0, started.stderr)
  t.regex(started.stdout, /All looks good, now you can access to resources in the kubernetes cluster/)
  const pid = Number(/process (\d+)/.exec(started.stdout)?.[1])
  t.true(existsSync(`/proc/${pid}/fd/0`), started.stdout)
  t.is((await laptop('curl', NGINX)).code, 0)

  const status = await kt(['status'])
  t.is(status.code, 0)
  t.regex(status.stdout, new RegExp(`^kt up: connected, process ${pid} since .*, namespace demo$`, 'm'))
  t.regex(status.stdout, /carrier: connected .*pod kt-connect-shadow-\w+, round trip [\d.]+ ms/)
  t.regex(status.stdout, /route: 10\.96\.0\.0\/16/)
  const second = await kt(['up', ...imageArguments(), '--detach'])
  t.is(second.code, 3)
  t.regex(second.stderr, new RegExp(`^kt: kt up already runs.*process ${pid}\\b`))

  const down = await kt(['down'])
  t.is(down.code, 0)
  t.true(down.stdout.includes(String(pid)))
  t.false(existsSync(`/proc/${pid}/fd/0`))
  const after = await snapshots()
  t.deepEqual(difference(before.laptop, after.laptop), { gone: [], come: [] })
  t.deepEqual(difference(before.cluster, after.cluster), { gone: [], come: [] })
  const again = await kt(['down'])
  t.deepEqual({ code: again.code, stderr: again.stderr }, { code: 0, stderr: '' })
})

test.serial('-D outlives the terminal it was started in', async t => {
  const script = `${process.execPath} ${KT} up ${imageArguments().join(' ')} -n demo -D; exit`
  const { code } = await laptop('script', ['-qec', script, '/dev/null'])
  t.is(code, 0)
  t.is((await laptop('curl', NGINX)).code, 0)
  t.is((await kt(['status'])).code, 0)
})

test.serial('-D that cannot start says why, once, and ends', async t => {
  const { code, stderr } = await kt(['up', ...imageArguments(), '--context', 'no-such-context', '-D'])
  t.is(code, 4)
  t.regex(stderr, /^kt: .*no-such-context.*\n {4}\S.*\n$/)
  t.is((await kt(['status'])).code, 1)
})

interface Event {
  event: string
  [field: string]: unknown
}

test.serial('--output json: one object a line, from start to stopped', async t => {
  const args = [KT, 'up', ...imageArguments(), '--namespace', 'demo', '--output', 'json']
  const child = spawnOnLaptop(process.execPath, args)
  const stdout = collect(child.stdout)
  const events = (): Event[] =>
    stdout()
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Event)
  const isThere = async (name: string): Promise<boolean> => events().some(({ event }) => event === name)
  t.true(await eventually(true, 60_000, () => isThere('ready')), stdout())

  const rows = JSON.parse((await kt(['status', '--output', 'json'])).stdout) as Record<string, unknown>[]
  t.is(rows.length, 1)
  t.like(rows[0], { pid: child.pid, command: 'up', namespace: 'demo', status: { state: 'connected' } })

  child.kill('SIGINT')
  t.deepEqual(await once(child, 'exit'), [0, null])
  const names = events().map(({ event }) => event)
  t.is(names.at(-1), 'stopped')
  for (const name of ['start', 'step', 'dns', 'route', 'ready', 'stopping', 'restored'])
    t.true(names.includes(name), name)
  t.true(names.indexOf('ready') < names.indexOf('stopping'))
  const find = (name: string): Event => events().find(({ event }) => event === name) ?? { event: 'missing' }
  t.like(find('start'), { pid: child.pid, namespace: 'demo' })
  const { ms, try: commands } = find('ready')
  t.is(typeof ms, 'number')
  t.true(Array.isArray(commands) && commands.length === 3)
  t.true(events().some(({ event, cidr, change }) => event === 'route' && cidr === '10.96.0.0/16' && change === 'added'))
})

test.serial('--output json: an error is an object, too', async t => {
  const { code, stdout } = await kt(['up', '--context', 'no-such-context', '--output', 'json'])
  t.is(code, 4)
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Event
  t.like(last, { event: 'error', code: 'KT_KUBECONFIG' })
  t.regex(String(last.message), /no-such-context/)
  t.deepEqual(JSON.parse((await kt(['status', '--output', 'json'])).stdout), [])
})
