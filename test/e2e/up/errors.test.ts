// What cannot work says so in one line, with a hint, an exit code, and leaves nothing behind on the laptop or in the cluster.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { imageArguments, kt, startKt } from '../_support/kt.ts'
import { type Finished, laptop } from '../_support/laptop.ts'
import { eventually } from './_support/eventually.ts'
import { clusterSnapshot, difference, type Snapshots, snapshots } from './_support/snapshot.ts'
import { makeUser, type Rule, type User, writeKubeconfig } from './_support/user.ts'

const KT = join(import.meta.dirname, '../../../bin/kt.ts')
const NOBODY = '65534'
/** Exit codes by class, as README lists them. */
const USAGE = 2
const LAPTOP = 3
const CLUSTER = 4
const AGENT = 5
/** A kubelet that waits for a registry. */
const LETS_GO_MS = 60_000

const folder = mkdtempSync(join(tmpdir(), 'kt-errors-'))
let before: Snapshots
let user: User | undefined

test.before(async () => {
  user = await makeUser('kt-test-user', 'demo', join(folder, 'user'))
  before = await snapshots()
})
test.after.always(async () => {
  await user?.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Expected {
  code: number
  message: RegExp
  /** The second line; without one there must be some hint. */
  hint?: RegExp
  /** Further lines. */
  more?: string[]
}

/** One line, one hint, the exit code; nothing but the usual steps on standard output. */
function saysOneThing(t: ExecutionContext, { code, stdout, stderr }: Finished, expected: Expected): void {
  const said = `${stdout}${stderr}`
  t.is(code, expected.code, said)
  const [first = '', second = '', ...rest] = stderr.trimEnd().split('\n')
  t.regex(first, /^kt: /, said)
  t.regex(first, expected.message, said)
  t.regex(second, expected.hint ?? /\S/, said)
  t.deepEqual(rest, expected.more ?? [], said)
  t.notRegex(said, /^\s+at .*:\d+:\d+/m, 'no stack trace')
}

async function nothingLeft(t: ExecutionContext): Promise<void> {
  const after = await snapshots()
  t.deepEqual(difference(before.laptop, after.laptop), { gone: [], come: [] })
  t.deepEqual(difference(before.cluster, after.cluster), { gone: [], come: [] })
}

async function fails(t: ExecutionContext, args: string[], expected: Expected): Promise<void> {
  saysOneThing(t, await kt(['up', ...imageArguments(), ...args]), expected)
  await nothingLeft(t)
}

test.serial('not root', async t => {
  const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, KT, 'up']
  const env = { HOME: '/nonexistent', KT_HOME: undefined }
  saysOneThing(t, await laptop('setpriv', args, { env }), { code: LAPTOP, message: /must be root/, hint: /sudo kt up/ })
  await nothingLeft(t)
})

test.serial('no /dev/net/tun', async t => {
  const script = 'mount -t tmpfs none /dev/net && exec "$@"'
  const args = ['--mount', 'sh', '-c', script, 'sh', process.execPath, KT, 'up', ...imageArguments()]
  saysOneThing(t, await laptop('unshare', args), { code: LAPTOP, message: /\/dev\/net\/tun/, hint: /modprobe tun/ })
  await nothingLeft(t)
})

test.serial('an unknown context', t =>
  fails(t, ['--context', 'no-such-context'], { code: CLUSTER, message: /no-such-context/ })
)

test.serial('a kubeconfig that is not there', t =>
  fails(t, ['--kubeconfig', join(folder, 'missing')], { code: CLUSTER, message: new RegExp(join(folder, 'missing')) })
)

test.serial('an API server where nobody listens', async t => {
  const file = join(folder, 'unreachable')
  await writeKubeconfig(file, { user: 'x', namespace: 'demo', credentials: {}, server: 'https://127.0.0.1:1' })
  await fails(t, ['--kubeconfig', file], {
    code: CLUSTER,
    message: /cannot reach the API server at https:.*:1\b.*ECONNREFUSED/
  })
})

test.serial('an API server that no route leads to', async t => {
  const file = join(folder, 'no-route')
  await writeKubeconfig(file, { user: 'x', namespace: 'demo', credentials: {}, server: 'https://192.0.2.1:6443' })
  await fails(t, ['--kubeconfig', file], {
    code: CLUSTER,
    message: /cannot reach the API server at https:\/\/192\.0\.2\.1:6443/
  })
})

test.serial('an unknown token', async t => {
  const file = join(folder, 'token')
  await writeKubeconfig(file, { user: 'stranger', namespace: 'demo', credentials: { token: 'not-a-token' } })
  await fails(t, ['--kubeconfig', file], { code: CLUSTER, message: /"stranger".*unknown or expired/, hint: /log in/ })
})

/** What `kt up` needs, as README says. */
const NEEDED: Rule[] = [
  { resource: 'pods', verbs: ['list', 'watch', 'create', 'delete'] },
  { resource: 'pods/portforward', verbs: ['get', 'create'] },
  { resource: 'configmaps', verbs: ['create', 'delete'] },
  { resource: 'services', verbs: ['list', 'watch'] }
]

for (const { resource, verbs } of NEEDED) {
  for (const verb of verbs) {
    test.serial(`a Role without "${verb} ${resource}" is told so`, async t => {
      const less = NEEDED.map(rule =>
        rule.resource === resource ? { ...rule, verbs: verbs.filter(other => other !== verb) } : rule
      )
      await user!.allow(less)
      const result = await kt(['up', ...imageArguments(), '--kubeconfig', user!.file])
      saysOneThing(t, result, {
        code: CLUSTER,
        message: new RegExp(`"kt-test-user" may not ${verb} ${resource} in namespace demo, which kt up needs$`),
        hint: /kt rbac up -n demo prints a role to ask for$/
      })
    })
  }
}

test.serial('no rights at all: all of them are named in one line, nothing is left', async t => {
  await user!.allow([])
  before.cluster = await clusterSnapshot()
  await fails(t, ['--kubeconfig', user!.file], {
    code: CLUSTER,
    message:
      /"kt-test-user" may not list pods in namespace demo, which kt up needs; missing are: list pods, .*create pods\/portforward, .*watch services$/
  })
})

test.serial('exactly the rights of that list are enough', async t => {
  await user!.allow(NEEDED)
  before.cluster = await clusterSnapshot()
  const running = await startKt(['--kubeconfig', user!.file])
  try {
    for (const url of ['http://nginx/', 'http://nginx.demo.svc.cluster.local/', 'http://web-0.web:8080/']) {
      t.is((await laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '10', url])).code, 0, url)
    }
  } finally {
    t.is((await running.stop()).code, 0)
  }
  await nothingLeft(t)
})

test.serial('a namespace that does not exist', t =>
  fails(t, ['--namespace', 'no-such-namespace'], { code: CLUSTER, message: /no namespace "no-such-namespace"/ })
)

test.serial('an image that cannot be pulled', async t => {
  const image = '127.0.0.1:1/no-such-image:7' // a registry that refuses at once: an unknown host would take its time
  const result = await kt(['up', '--namespace', 'demo', '--image', image])
  t.log(`known after ${(result.ms / 1000).toFixed(1)} s: ${result.stderr.split('\n')[0]}`)
  saysOneThing(t, result, { code: AGENT, message: /no-such-image:7/, hint: /--image/ })
  // The pod is deleted at once; its kubelet lets go of it when the attempt to pull has ended.
  const gone = async (): Promise<boolean> => difference(before.cluster, await clusterSnapshot()).come.length === 0
  t.true(await eventually(true, LETS_GO_MS, gone))
  await nothingLeft(t)
})

for (const [flag, text] of [
  ['--excludeIps', 'nonsense'],
  ['--excludeIps', '10.96.0.0/33'],
  ['--excludeIps', '10.96.0.1,300.1.1.1'],
  ['--includeIps', 'nginx.demo'],
  ['--excludeIps', ',']
] as const) {
  test.serial(`${flag} ${text}`, async t => {
    const result = await kt(['up', ...imageArguments(), '--namespace', 'demo', flag, text])
    t.notRegex(result.stdout, /shadow/i, 'known before anything is made')
    saysOneThing(t, result, { code: USAGE, message: new RegExp(flag) })
    await nothingLeft(t)
  })
}

const SEE_HELP = '(see kt --help)'
const TYPING_ERRORS: { args: string[]; expected: Omit<Expected, 'code'> }[] = [
  { args: ['upp'], expected: { message: /unknown command 'upp'/, hint: /Did you mean up\?/, more: [SEE_HELP] } },
  {
    args: ['up', '--excludIps', '10.0.0.1'],
    expected: { message: /unknown option '--excludIps'/, hint: /--excludeIps/, more: [SEE_HELP] }
  },
  { args: ['up', '--output', 'xml'], expected: { message: /--output.*xml/, hint: /--help/ } },
  { args: ['up', 'surplus'], expected: { message: /too many arguments for 'up'/, hint: /--help/ } }
]

for (const { args, expected } of TYPING_ERRORS) {
  test.serial(`kt ${args.join(' ')}`, async t => {
    saysOneThing(t, await kt(args), { code: USAGE, ...expected })
    await nothingLeft(t)
  })
}

test.serial('a second kt up says which one runs', async t => {
  const running = await startKt(['--namespace', 'demo'])
  try {
    const second = await kt(['up', ...imageArguments(), '--namespace', 'demo'])
    saysOneThing(t, second, {
      code: LAPTOP,
      message: new RegExp(`already runs.*process ${running.pid}\\b.*namespace demo`),
      hint: /kt down/
    })
    t.is((await laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '10', 'http://nginx/'])).code, 0)
  } finally {
    t.is((await running.stop()).code, 0)
  }
  await nothingLeft(t)
})
