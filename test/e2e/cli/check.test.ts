// kt check against a cluster and a laptop in order, and against faults that are planted one by one: each is found, and its fix is named.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Verdict } from '../../../lib/check/finding.ts'
import { kt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { program, succeed } from '../up/_support/program.ts'
import { keepResolver } from '../up/_support/resolver.ts'
import { makeUser, writeKubeconfig } from '../up/_support/user.ts'
import { type Checked, check, checkThrough } from './_support/findings.ts'
import { startGateway } from './_support/gateway.ts'

const NAMESPACE = 'kt-check'
const FILES = mkdtempSync(join(tmpdir(), 'kt-check-'))
const UNPULLABLE = 'registry.invalid/none:1'

async function apply(...items: object[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
}

const meta = (name: string, more: object = {}): object => ({ name, namespace: NAMESPACE, ...more })

/** The verdict, what is said, and what to do; a fault also shows in the exit code. */
function found(t: ExecutionContext, checked: Checked, name: string, verdict: Verdict, text: RegExp, fix: RegExp): void {
  const finding = checked.about(name)
  t.is(finding.verdict, verdict, finding.text)
  t.regex(finding.text, text)
  t.regex(finding.fix, fix)
  if (verdict === 'fault') t.deepEqual([checked.works, checked.code], [false, 1])
}

test.before(async () => {
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait'])
  await kubectl(['create', 'namespace', NAMESPACE])
  await kubectl(['-n', NAMESPACE, 'run', 'none', '--image', UNPULLABLE, '--restart', 'Never'])
})

test.after.always(async () => {
  await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false'])
})

test.serial('all is well: every line is ✓, and the exit code is 0', async t => {
  const { code, works, findings } = await check('-n', 'demo')
  t.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'ok'),
    []
  )
  t.deepEqual([code, works], [0, true])
  const names = findings.map(({ check: name }) => name)
  for (const name of [
    'node',
    'rights',
    'tun',
    'resolver',
    'vpn',
    'kubeconfig',
    'api-server',
    'clock',
    'websocket',
    'routes'
  ])
    t.true(names.includes(name), name)
  for (const name of [
    'rights-up',
    'rights-exchange',
    'pod',
    'image',
    'cluster-dns',
    'leftovers',
    'remains',
    'locks',
    'kt-connect'
  ])
    t.true(names.includes(name), name)
  const text = await kt(['check', '-n', 'demo', '--image', 'kt.local/node:20'])
  t.is(text.stdout.trimEnd().split('\n').length, findings.length + 1)
  t.regex(text.stdout, /^✓ node {12}Node \d+/)
})

test.serial('1 no right to change the network', async t => {
  const checked = await checkThrough(['setpriv', '--bounding-set=-net_admin'], '-n', 'demo')
  found(t, checked, 'rights', 'fault', /without CAP_NET_ADMIN/, /--cap-add NET_ADMIN/)
})

test.serial('2 no /dev/net/tun', async t => {
  const hide = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh']
  found(t, await checkThrough(hide, '-n', 'demo'), 'tun', 'fault', /\/dev\/net\/tun is not there/, /modprobe tun/)
})

test.serial('3 no name server', async t => {
  const back = await keepResolver()
  try {
    await succeed({ input: '# none\n' }, 'sh', '-c', 'cat > /etc/resolv.conf')
    found(
      t,
      await check('-n', 'demo'),
      'resolver',
      'warning',
      /no name server is set/,
      /add one to \/etc\/resolv\.conf/
    )
  } finally {
    await back()
  }
})

test.serial('4 no kubeconfig, 5 an unknown context, 6 an unknown namespace', async t => {
  found(t, await check('-c', '/nonexistent'), 'kubeconfig', 'fault', /there is no kubeconfig file/, /~\/\.kube\/config/)
  found(t, await check('--context', 'nope'), 'kubeconfig', 'fault', /no context "nope"/, /contexts there: /)
  found(t, await check('-n', 'nope'), 'namespace', 'fault', /no namespace "nope"/, /--namespace/)
})

test.serial('7 an API server that does not answer', async t => {
  const file = join(FILES, 'closed')
  await writeKubeconfig(file, { user: 'x', namespace: 'demo', credentials: {}, server: 'https://127.0.0.1:1' })
  found(
    t,
    await check('-c', file),
    'api-server',
    'fault',
    /cannot reach the API server at https:\/\/127\.0\.0\.1:1/,
    /VPN/
  )
})

test.serial('8 a gateway that lets no WebSocket through, 9 a clock that is wrong', async t => {
  const { file, stop } = await startGateway()
  try {
    const checked = await check('-c', file)
    found(t, checked, 'websocket', 'fault', /no WebSocket comes through: HTTP \d+/, /"Upgrade: websocket"/)
    found(t, checked, 'clock', 'warning', /clock is (59\d|60\d) s behind/, /timedatectl set-ntp true/)
  } finally {
    stop()
  }
})

test.serial('10 a right that is missing: one verb of the port-forward', async t => {
  const user = await makeUser('few', NAMESPACE, join(FILES, 'few'))
  await user.allow([
    { resource: 'pods', verbs: ['get', 'list', 'watch', 'create', 'delete'] },
    { resource: 'pods/portforward', verbs: ['get'] },
    { resource: 'configmaps', verbs: ['create', 'delete', 'list'] },
    { resource: 'services', verbs: ['list', 'watch'] }
  ])
  const checked = await check('-c', user.file)
  found(
    t,
    checked,
    'rights-up',
    'fault',
    /missing in namespace kt-check: create pods\/portforward$/,
    /kt rbac up -n kt-check/
  )
  found(t, checked, 'rights-exchange', 'warning', /patch services/, /kt rbac exchange/)
})

test.serial('11 a quota that leaves no room for the pod', async t => {
  await apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: meta('none'), spec: { hard: { pods: '0' } } })
  t.true(await eventually(true, 15_000, async () => (await check('-n', NAMESPACE)).about('pod').verdict === 'fault'))
  found(t, await check('-n', NAMESPACE), 'pod', 'fault', /does not admit the shadow pod: .*quota/, /--podQuota/)
  await kubectl(['-n', NAMESPACE, 'delete', 'resourcequota', 'none'])
})

test.serial('12 an image that no node can pull', async t => {
  const args = ['-n', NAMESPACE, '--image', UNPULLABLE]
  t.true(await eventually(true, 30_000, async () => (await check(...args)).about('image').verdict === 'fault'))
  found(t, await check(...args), 'image', 'fault', /cannot pull registry\.invalid\/none:1: /, /--imagePullSecret/)
})

test.serial("13 another VPN that routes the cluster's addresses", async t => {
  await program('ip', 'tuntap', 'add', 'vpn9', 'mode', 'tun')
  try {
    await program('ip', 'link', 'set', 'vpn9', 'up')
    await program('ip', 'route', 'add', '10.96.128.0/24', 'dev', 'vpn9')
    found(
      t,
      await check('-n', 'demo'),
      'routes',
      'warning',
      /10\.96\.128\.0\/24 on vpn9/,
      /--excludeIps 10\.96\.128\.0\/24/
    )
  } finally {
    await program('ip', 'link', 'delete', 'vpn9')
  }
})

test.serial('14 what a killed kt has left on the laptop', async t => {
  const up = await startKt(['-n', 'demo'])
  await up.stop('SIGKILL')
  found(t, await check('-n', 'demo'), 'leftovers', 'warning', /without putting this computer back/, /sudo kt down/)
  t.is((await kt(['down'])).code, 0)
  t.is((await check('-n', 'demo')).about('leftovers').verdict, 'ok')
})

test.serial('15 objects, 16 a lock of a kt-connect that is gone', async t => {
  const old = { 'kt-user': 'ada', 'kt-last-heart-beat': '1700000000' }
  await apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('shop-kt-stuntman', { labels: { 'control-by': 'kt' }, annotations: old }),
      spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] }
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('cart', { annotations: { 'kt-lock': '1700000000' } }),
      spec: { selector: { app: 'cart' }, ports: [{ port: 80 }] }
    }
  )
  const checked = await check('-n', NAMESPACE)
  found(t, checked, 'remains', 'warning', /silent for more than 5 min: .*service shop/, /kt clean -n kt-check/)
  found(t, checked, 'locks', 'warning', /kt-connect that is gone: cart/, /kt recover cart/)
  found(t, checked, 'kt-connect', 'warning', /shop-kt-stuntman \(ada\)/, /kt recover SERVICE/)
})
