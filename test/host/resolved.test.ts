// A real systemd-resolved on a laptop of its own: only cluster names come to us.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Namespace, Worker, whyNoNamespace } from '../_support/netns.ts'
import { OWN_ETC, WORKER } from './_laptop.ts'

const ROOT = join(process.env.KT_CLUSTER_CACHE ?? join(homedir(), '.cache/kt-cluster'), 'resolved')
const SCRIPT = fileURLToPath(new URL('../cluster/resolved.sh', import.meta.url))
/** The company's name server, and ours, both at the other end of a wire. */
const COMPANY = '192.0.2.53'
const OURS = '198.18.0.2'

function whyNot(): string | undefined {
  if (!existsSync(SCRIPT)) return `${SCRIPT} is missing`
  if (!existsSync(join(ROOT, 'lib/systemd/systemd-resolved'))) return `no systemd-resolved in ${ROOT}`
  return whyNoNamespace()
}

/** The worker beside a systemd-resolved that asks the company's server. */
function startLaptop(namespace: Namespace): Worker {
  const shell = `mount -t tmpfs tmpfs /mnt; echo nameserver ${COMPANY} > /mnt/resolv.conf; mount --bind /mnt/resolv.conf /etc/resolv.conf; exec "$@"`
  const inside = ['sh', '-c', shell, 'sh', 'bash', SCRIPT, process.execPath, fileURLToPath(WORKER)]
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'env', `ROOT=${ROOT}`]
  const child = spawn('ip', ['netns', 'exec', namespace.name, ...unshare, ...inside], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  return new Worker(child)
}

test('cluster names come to us, all others stay where they were, and nothing is left afterwards', async t => {
  const reason = whyNot()
  if (reason !== undefined) {
    t.log(`skipped: ${reason}`)
    t.pass()
    return
  }
  const laptop = new Namespace()
  const far = new Namespace()
  t.teardown(async () => {
    await far.remove()
    await laptop.remove()
  })
  for (const [name, near, other] of [
    ['kt0', '198.18.0.1/30', `${OURS}/30`],
    ['eth0', '192.0.2.1/24', `${COMPANY}/24`]
  ] as const) {
    laptop.exec('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', name, 'netns', far.name)
    laptop.exec('ip', 'addr', 'add', near, 'dev', name)
    far.exec('ip', 'addr', 'add', other, 'dev', name)
    for (const each of [laptop, far]) each.exec('ip', 'link', 'set', 'dev', name, 'up')
  }
  const servers = far.fork(new URL('./_name-server.ts', import.meta.url))
  await servers.call('serve', [COMPANY, OURS])
  const worker = startLaptop(laptop)
  t.teardown(() => worker.stop())
  // As every distribution sets it up: systemd-resolved keeps the search list of its links in this file.
  await worker.call('shell', `${OWN_ETC} ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf`)

  t.deepEqual(await worker.call('resolve', 'www.example.test'), [COMPANY])
  const before = await worker.call('shell', 'resolvectl --no-pager dns; resolvectl --no-pager domain')
  const file = await worker.call('snapshot')

  t.like(await worker.call('point', '/run', { namespaces: ['shop'], ranges: ['10.96.0.0/16'] }), {
    mode: 'systemd-resolved',
    upstreams: [COMPANY]
  })
  t.is(await worker.call('snapshot'), file, 'resolv.conf is not touched')
  for (const name of ['nginx.demo.svc.cluster.local', 'nginx', 'nginx.demo', 'cart.shop', 'a.b.svc']) {
    t.is(await worker.call('lookup', name), OURS, name)
  }
  for (const name of ['www.example.test', 'cluster.example.test', 'other.local.test']) {
    t.is(await worker.call('lookup', name), COMPANY, name)
  }
  await worker.call('reverse', '10.96.0.7')
  await worker.call('reverse', '192.0.2.7')
  const ours = await servers.call<string[]>('asked', OURS)
  t.true(ours.includes('nginx.demo.svc.cluster.local A'), ours.join())
  t.true(ours.includes('7.0.96.10.in-addr.arpa PTR'))
  t.deepEqual(
    ours.filter(name => /test|192/.test(name)),
    []
  )
  const company = await servers.call<string[]>('asked', COMPANY)
  t.deepEqual(
    company.filter(name => /nginx|svc|96\.10/.test(name)),
    []
  )

  await worker.call('restore')
  t.is(await worker.call('shell', 'resolvectl --no-pager dns; resolvectl --no-pager domain'), before)
  t.is(await worker.call('lookup', 'nginx.demo'), COMPANY)
})
