// A network for some programs, made by a user without any rights, as on a laptop where nobody gives him root.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { explain } from '../../lib/host/namespace-linux.ts'
import { Namespace, Worker, whyNoNamespace } from '../_support/netns.ts'

const SCRIPT = fileURLToPath(new URL('_user.ts', import.meta.url))
const UID = 1000
const LIMIT_MS = 10_000
/** Text of the resolv.conf outside. */
const OUTSIDE = 'nameserver 192.0.2.53\nsearch example.test\n'

/**
 * A user's process in a network namespace, with an /etc of its own that it may write and a device file of this mode; `through` are words
 * in front of the program.
 */
function startUser(t: ExecutionContext, { mode = '666', through = [] as string[] } = {}): Worker | undefined {
  const reason = whyNoNamespace()
  if (reason !== undefined) {
    t.log(`skipped: ${reason}`)
    t.pass()
    return undefined
  }
  const setUp = `mount -t tmpfs tmpfs /mnt
mknod -m ${mode} /mnt/tun c 10 200; mount --bind /mnt/tun /dev/net/tun
mkdir /mnt/etc; for each in passwd group hosts nsswitch.conf; do cp /etc/$each /mnt/etc/ || true; done
printf '${OUTSIDE.replaceAll('\n', '\\n')}' > /mnt/etc/resolv.conf; chown -R ${UID} /mnt/etc; mount --bind /mnt/etc /etc; umount -l /mnt
exec setpriv --reuid=${UID} --regid=${UID} --clear-groups --bounding-set=-all -- "$@"`
  const namespace = new Namespace()
  const words = ['unshare', '--mount', 'sh', '-ec', setUp, 'sh', ...through, process.execPath, SCRIPT]
  const env = { ...process.env, TMPDIR: '/etc' } // which is its own, so that it is seen what is left there
  const worker = new Worker(
    spawn('ip', ['netns', 'exec', namespace.name, ...words], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
  )
  t.teardown(async () => {
    await worker.stop()
    await namespace.remove()
  })
  return worker
}

interface Ended {
  code: number
  said: string
}

test('a device, routes and a resolver of its own; outside nothing is changed, and afterwards nothing is left', async t => {
  const user = startUser(t)
  if (user === undefined) return
  const pid = await user.call<number>('open')
  t.deepEqual(await user.call('point'), ['192.0.2.53'])
  const inside = (script: string): Promise<Ended> => user.call<Ended>('inside', script)

  t.deepEqual(await inside('id -u; id -g; exit 7'), { code: 7, said: `${UID}\n${UID}\n` })
  t.is((await inside('pwd')).said.trim(), process.cwd())
  t.is((await inside('stat -c %u /etc/resolv.conf /etc/passwd')).said, `${UID}\n${UID}\n`)
  t.is((await inside('grep CapEff /proc/self/status')).said.trim(), 'CapEff:\t0000000000000000')
  t.regex((await inside('ip -brief link')).said, /^lo .*\nkt0 /)
  t.regex((await inside('ip route; ip -6 route')).said, /^default dev kt0[\s\S]*\ndefault dev kt0/)
  t.regex(
    (await inside('cat /etc/resolv.conf')).said,
    /nameserver 198.18.0.2\nsearch demo.svc.cluster.local example.test\n# kt: aside: nameserver \S+\n$/
  )
  t.is((await inside('no-such-program-anywhere')).code, 127)

  const before = await user.call<number>('packets')
  await inside('timeout 1 getent ahostsv4 name.example.test')
  for (let waited = 0; waited < LIMIT_MS && (await user.call<number>('packets')) === before; waited += 50)
    await delay(50)
  t.true((await user.call<number>('packets')) > before, 'the question of getent has come to the device')

  t.is(await user.call('outside', 'cat /etc/resolv.conf'), OUTSIDE)
  t.notRegex(await user.call<string>('outside', 'ip -brief link'), /kt0/)
  await user.call('close')
  t.false(existsSync(`/proc/${pid}`))
  t.is(await user.call('outside', 'ls /etc | grep kt-shell || true'), '')
})

test('a resolv.conf that is replaced outside is covered again, and its servers are asked', async t => {
  const user = startUser(t)
  if (user === undefined) return
  await user.call('open')
  await user.call('point')
  await user.call('outside', 'echo nameserver 192.0.2.54 > /etc/new; mv /etc/new /etc/resolv.conf')
  const upstreams = async (): Promise<string> => (await user.call<string[]>('upstreams')).join()
  for (let waited = 0; waited < LIMIT_MS && (await upstreams()) !== '192.0.2.54'; waited += 50) await delay(50)
  t.is(await upstreams(), '192.0.2.54')
  t.regex((await user.call<Ended>('inside', 'cat /etc/resolv.conf')).said, /nameserver 198.18.0.2\n/)
  await user.call('close')
})

test('where users may not make namespaces: one line, and what to switch on', async t => {
  // A limit of 0 for all namespaces below this one, which is what the switch of the whole computer does.
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
  const user = startUser(t, { through: ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh'] })
  if (user === undefined) return
  t.deepEqual(await user.call('refused'), {
    code: 'KT_PLATFORM',
    message: 'this computer does not let users make namespaces of their own: user.max_user_namespaces is 0',
    hint: 'sudo sysctl -w user.max_user_namespaces=15000 (in /etc/sysctl.d it lasts)'
  })
  t.like(await user.call('obstacle'), {
    fix: 'sudo sysctl -w user.max_user_namespaces=15000 (in /etc/sysctl.d it lasts)'
  })
})

test('where /dev/net/tun is root’s alone', async t => {
  const user = startUser(t, { mode: '600' })
  if (user === undefined) return
  t.deepEqual(await user.call('refused'), {
    code: 'KT_NO_TUN',
    message: '/dev/net/tun may be opened by root alone',
    hint: 'sudo chmod 666 /dev/net/tun, as most systems have it'
  })
  t.like(await user.call('obstacle'), { text: '/dev/net/tun may be opened by root alone' })
})

const SWITCHES: [name: string, switches: Record<string, string>, said: string, text: RegExp, fix: RegExp][] = [
  [
    'Debian',
    { 'kernel/unprivileged_userns_clone': '0' },
    '',
    /unprivileged_userns_clone is 0/,
    /unprivileged_userns_clone=1/
  ],
  [
    'Ubuntu 24.04',
    { 'kernel/apparmor_restrict_unprivileged_userns': '1', 'kernel/unprivileged_userns_clone': '1' },
    'unshare: write failed /proc/self/uid_map: Operation not permitted',
    /AppArmor's kernel.apparmor_restrict_unprivileged_userns is 1/,
    /apparmor_restrict_unprivileged_userns=0/
  ],
  [
    'a container',
    {},
    'unshare: unshare failed: Operation not permitted',
    /: unshare failed: Operation not permitted$/,
    /seccomp=unconfined/
  ],
  ['an old util-linux', {}, "unshare: unrecognized option '--propagation'", /unrecognized option/, /util-linux 2.36/]
]

for (const [name, switches, said, text, fix] of SWITCHES) {
  test(`what is said about namespaces on ${name}`, t => {
    const found = explain(said, each => switches[each] ?? '')
    t.regex(found.text, text)
    t.regex(found.fix, fix)
  })
}
