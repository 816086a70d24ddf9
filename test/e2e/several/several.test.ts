// Two clusters with the same ranges, used at once from one laptop by name; who is asked for names, and what becomes of them when a session goes.
import { once } from 'node:events'
import test from 'ava'
import { withResolved } from '../../cluster/resolved.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { podAddresses, serviceAddress } from '../_support/demo.ts'
import { imageArguments, KT, kt, type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, collect, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { program, succeed } from '../up/_support/program.ts'
import { type TwoClusters, twoClusters } from './_support/second.ts'

/** The other cluster is one of ours, too. */
const onClusters = builtIn ? test.serial : test.serial.skip
const LOOKUPS = new URL('peers/lookups.peer.ts', import.meta.url).pathname
const RESOLVED = new URL('peers/resolved.peer.ts', import.meta.url).pathname
const WEST = { cluster: 'dual-stack' } as const
const TAKEN_OVER_MS = 5000
const RESOLV_CONF = '/etc/resolv.conf'

let clusters: TwoClusters
let east: RunningKt
let west: RunningKt
let resolvConf = ''

test.before(async () => {
  if (!builtIn) return
  clusters = await twoClusters()
  resolvConf = await program('cat', RESOLV_CONF)
  await kubectl(['-n', 'demo', 'create', 'service', 'clusterip', 'only-west', '--tcp=80'], WEST)
  await kubectl(['-n', 'demo', 'patch', 'service', 'only-west', '-p', '{"spec":{"selector":{"app":"nginx"}}}'], WEST)
  east = await startEast()
  west = await startWest()
})
test.after.always(async () => {
  if (!builtIn) return
  for (const running of [west, east]) await running?.stop()
  await kubectl(['-n', 'demo', 'delete', 'service', 'only-west', '--ignore-not-found'], WEST)
  await clusters?.remove()
})

const startEast = (...args: string[]): Promise<RunningKt> => startKt(['-c', clusters.east, '-n', 'demo', ...args])
const startWest = (...args: string[]): Promise<RunningKt> => startKt(['-c', clusters.west, '-n', 'demo', ...args])

/** The pod that answers, and at which address. */
async function pageOf(host: string): Promise<{ pod: string; address: string }> {
  const { stdout } = await laptop('curl', ['-4', '-sS', '--max-time', '10', '-w', '%{remote_ip}', `http://${host}/`])
  const [, pod = stdout, address = ''] = /^nginx (\S+) .*\n(\S*)$/.exec(stdout) ?? []
  return { pod, address }
}

async function podsOf(options: { cluster?: 'dual-stack' } = {}): Promise<string[]> {
  const names = await kubectl(['-n', 'demo', 'get', 'pods', '-l', 'app=nginx', '-o', 'name'], options)
  return names
    .trim()
    .split('\n')
    .map(name => name.replace(/^pod\//, ''))
}

async function lookUp(name: string): Promise<string> {
  const { stdout } = await laptop('getent', ['ahostsv4', name])
  return stdout.split(/\s/)[0] ?? ''
}

/** The address that stands for one of the second session's cluster. */
const virtual = (address: string): string => address.replace(/^10\./, '241.')

onClusters('each cluster is reached by its names, although both have the same addresses', async t => {
  const [inEast, inWest] = await Promise.all([podsOf(), podsOf(WEST)])
  const [ofEast, ofWest] = await Promise.all([serviceAddress('nginx'), serviceAddress('nginx', 4, WEST)])
  for (const name of ['nginx', 'nginx.demo', 'nginx.demo.svc.cluster.local', 'nginx.demo.east.kt', ofEast]) {
    const { pod, address } = await pageOf(name)
    t.true(inEast.includes(pod), `${name}: ${pod}`)
    t.is(address, ofEast, name)
  }
  for (const name of ['nginx.west.kt', 'nginx.demo.west.kt', 'nginx.demo.svc.cluster.local.west.kt', virtual(ofWest)]) {
    const { pod, address } = await pageOf(name)
    t.true(inWest.includes(pod), `${name}: ${pod}`)
    t.is(address, virtual(ofWest), name)
  }
  const [pod = ''] = await podAddresses('nginx', 4, WEST)
  t.true(inWest.includes((await pageOf(virtual(pod))).pod), 'by the address of a pod')
})

onClusters('a name that only the second has is found without more; one that nobody has is not', async t => {
  const inWest = await podsOf(WEST)
  for (const name of ['only-west', 'only-west.demo', 'only-west.demo.svc', 'only-west.demo.svc.cluster.local'])
    t.true(inWest.includes((await pageOf(name)).pod), name)
  for (const name of ['only-west.demo.east.kt', 'no-such.demo', 'no-such.demo.west.kt', 'nowhere.example.test'])
    t.is(await lookUp(name), '', name)
  t.is(await lookUp('www.example.test'), '192.0.2.11', 'the company’s names')
})

onClusters('UDP, ping, and names of virtual addresses', async t => {
  const dns = virtual('10.96.0.10')
  const asked = `@${dns}`
  t.is(
    (await program('dig', '+short', asked, 'nginx.demo.svc.cluster.local')).trim(),
    await serviceAddress('nginx', 4, WEST)
  )
  t.is((await program('dig', '+short', '-x', dns)).trim(), 'kube-dns.kube-system.svc.cluster.local.west.kt.')
  t.is((await program('dig', '+short', '-x', '10.96.0.10')).trim(), 'kube-dns.kube-system.svc.cluster.local.')
  t.is((await laptop('ping', ['-c', '1', '-W', '5', await lookUp('nginx.west.kt')])).code, 0)
  const targets = (await program('dig', '+short', '_http._tcp.web.demo.svc.west.kt', 'SRV')).trim().split('\n')
  t.true(
    targets.every(line => line.endsWith('.web.demo.svc.cluster.local.west.kt.')),
    targets.join()
  )
})

onClusters('status, dns and the start say which is which; the same once more is refused', async t => {
  t.regex(west.output(), /in place of 10\.96\.0\.0\/16, which kt0 has/)
  t.regex(west.output(), /names of this one alone end in west\.kt/)
  t.regex(east.output(), /another kt runs here: context west, kt1; its own names end in west\.kt/)
  const { code, stdout } = await kt(['status', '--output', 'json'])
  t.is(code, 0)
  const rows = JSON.parse(stdout) as { context: string; status: { device: string; suffix: string } }[]
  t.deepEqual(
    rows.map(({ context, status }) => [context, status.device, status.suffix]),
    [
      ['east', 'kt0', 'east.kt'],
      ['west', 'kt1', 'west.kt']
    ]
  )
  t.regex((await kt(['dns', 'only-west.demo'])).stdout, /source: another kt on this computer/)
  t.regex((await kt(['dns', 'only-west.demo', '--context', 'west'])).stdout, /source: the watch/)
  const twin = await kt(['up', '-c', clusters.west, '-n', 'demo', ...imageArguments()])
  t.is(twin.code, 3)
  t.regex(twin.stderr, new RegExp(`already runs here: process ${west.pid}, context west, namespace demo`))
})

onClusters('the one that is asked for names goes: no lookup fails, and the other one is asked', async t => {
  const lookups = spawnOnLaptop(process.execPath, [LOOKUPS, 'nginx.demo.west.kt'])
  const said = collect(lookups.stdout)
  await once(lookups.stdout, 'data')
  t.is((await east.stop()).code, 0)
  t.regex(await program('cat', RESOLV_CONF), /^nameserver 198\.18\.0\.6$/m)
  lookups.kill('SIGTERM')
  await once(lookups, 'close')
  const address = virtual(await serviceAddress('nginx', 4, WEST))
  t.deepEqual(Object.keys(JSON.parse(said().split('\n')[1] ?? '') as object), [address])
  t.is(await lookUp('nginx.demo'), address, 'an address stays what it was')
})

onClusters('it comes again and follows; the one that is asked is killed', async t => {
  east = await startEast()
  const address = await serviceAddress('nginx')
  t.is(await lookUp('nginx.demo.east.kt'), address)
  t.is(await lookUp('nginx.demo'), virtual(await serviceAddress('nginx', 4, WEST)), 'who was here first')
  await west.stop('SIGKILL')
  t.is(await eventually(address, TAKEN_OVER_MS, () => lookUp('nginx.demo')), address)
  t.regex(await program('cat', RESOLV_CONF), /^nameserver 198\.18\.0\.2$/m)
  t.is(await lookUp('only-west.demo.west.kt'), '')
})

onClusters('--allowConflict takes the addresses as they are, and gives them back', async t => {
  west = await startWest('--allowConflict')
  const ofWest = await serviceAddress('nginx', 4, WEST)
  const { pod, address } = await pageOf('nginx.demo.west.kt')
  t.is(address, ofWest)
  t.true((await podsOf(WEST)).includes(pod))
  t.is((await kt(['down', '--context', 'west'])).code, 0)
  t.true((await podsOf()).includes((await pageOf(await serviceAddress('nginx'))).pod))
})

onClusters('after all of that resolv.conf is as it was', async t => {
  await east.stop('SIGKILL')
  t.is((await kt(['down'])).code, 0)
  t.is(await program('cat', RESOLV_CONF), resolvConf)
  t.notRegex(await program('ip', '-brief', 'link'), /\bkt\d/)
})

interface Seen {
  before: string
  after: string
  both: Record<string, string>
  alone: Record<string, string>
  domains: string
  started: string
}

onClusters('with systemd-resolved one link has the domains of both, and then the other one’s', async t => {
  t.timeout(180_000)
  const program = [process.execPath, RESOLVED, KT, clusters.east, clusters.west, ...imageArguments()]
  const words = await withResolved(cacheDirectory(process.env), program)
  const seen = JSON.parse(await succeed({ timeoutMs: 150_000 }, words[0]!, ...words.slice(1))) as Seen
  const [ofEast, ofWest] = await Promise.all([serviceAddress('nginx'), serviceAddress('nginx', 4, WEST)])
  const only = virtual(await serviceAddress('only-west', 4, WEST))
  const company = { 'www.example.test': '192.0.2.11' }
  const west = { 'nginx.demo.west.kt': virtual(ofWest), 'only-west': only, 'only-west.demo': only, ...company }
  t.deepEqual(seen.both, { 'nginx.demo': ofEast, 'nginx.east.kt': ofEast, ...west }, seen.started)
  t.deepEqual(seen.alone, { 'nginx.demo': virtual(ofWest), 'nginx.east.kt': '', ...west })
  t.regex(seen.domains, /\(kt0\): demo\.svc\.cluster\.local svc\.cluster\.local cluster\.local [\s\S]*~west\.kt/)
  t.regex(seen.domains, /\(kt1\):\s*$/m)
  t.is(seen.after, seen.before)
})
