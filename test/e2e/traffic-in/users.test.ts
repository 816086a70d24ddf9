// Two users, each with his own kubeconfig, home and name: one never harms the other. And what each command needs is what kt rbac prints.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { imageArguments, type RunningKt, kt as runKt, startCommand } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import type { Finished } from '../_support/laptop.ts'
import { makeUser, type Rule, type User } from '../up/_support/user.ts'
import { becomes } from './_support/callers.ts'
import { clear, HTTP, NAMESPACE, OWN_PORT, prepare, RULES } from './_support/ground.ts'
import { kt0, network } from './_support/network.ts'

const EXPOSE = ['--expose', `${HTTP}:80`]
const CLEAN = 'No unavailing kt resource found (^.^)YYa!!\n'
const LED = (service: string): string => `Now all request to service '${service}' will be redirected to local`

interface Person {
  user: User
  kt(...args: string[]): Promise<Finished>
  stays(ready: string, ...args: string[]): Promise<RunningKt>
}

let alice: Person
let bob: Person

test.before(async () => {
  await prepare('shop', 'stock')
  ;[alice, bob] = [await person('alice'), await person('bob')]
})
test.after.always(clear)

async function person(name: string): Promise<Person> {
  const home = mkdtempSync(join(tmpdir(), `kt-${name}-`))
  const user = await makeUser(name, NAMESPACE, join(home, 'kubeconfig'))
  await user.allow(RULES)
  const env = { KT_HOME: home, SUDO_USER: name }
  const file = ['--kubeconfig', user.file]
  return {
    user,
    kt: (...args) => runKt([...args, ...file], { env }),
    stays: (ready, ...args) => startCommand([...args, ...file], ready, { env })
  }
}

/** As if all that belongs to the exchange had been silent for three minutes. */
async function silence(service: string): Promise<void> {
  const beat = `kt-last-heart-beat=${Math.floor(Date.now() / 1000) - 180}`
  const pods = (await kubectl(['-n', NAMESPACE, 'get', 'pods', '-o', 'name'])).split('\n')
  for (const object of [`service/${service}-kt-stuntman`, ...pods.filter(pod => pod.includes(`/${service}-kt-`))])
    await kubectl(['-n', NAMESPACE, 'annotate', '--overwrite', object, beat])
}

test.serial(
  "a conflict names the owner and his age; the other's clean, recover of its own, and down touch nothing",
  async t => {
    const running = await alice.stays(LED('shop'), 'exchange', 'shop', ...EXPOSE)
    const preview = await alice.stays("by name 'shop-next'", 'preview', 'shop-next', ...EXPOSE)
    for (const flags of [[], ['--takeover']]) {
      const refused = await bob.kt('exchange', 'shop', ...EXPOSE, ...flags)
      t.is(refused.code, 4)
      t.regex(refused.stderr, /^kt: service 'shop' is already exchanged by alice on \S+, last seen \d+ s ago\n/)
    }
    const taken = await bob.kt('preview', 'shop-next', ...EXPOSE)
    t.regex(
      taken.stderr,
      /^kt: there is a service 'shop-next' already of alice on \S+, last seen \d+ s ago; nothing has/
    )
    t.is((await bob.kt('clean')).stdout, CLEAN)
    t.is((await bob.kt('down')).stdout, 'kt is not running here, there is nothing to put back\n')
    const own = await bob.stays(LED('stock'), 'exchange', 'stock', ...EXPOSE)
    t.is((await own.stop('SIGKILL')).signal, 'SIGKILL')
    t.regex((await bob.kt('recover', 'stock')).stdout, /Original service stock recovered/)
    for (const service of ['shop', 'shop-next']) await becomes(t, `http://${service}/`, 'local')
    t.is((await preview.stop()).code, 0)
    t.is((await running.stop()).code, 0)
    await becomes(t, 'http://shop/', 'pod')
  }
)

test.serial('who has been silent is taken over, and has nothing left to clean or to take back', async t => {
  const old = await alice.stays(LED('shop'), 'exchange', 'shop', ...EXPOSE)
  await old.stop('SIGKILL')
  await silence('shop')
  const refused = await bob.kt('exchange', 'shop', ...EXPOSE)
  t.regex(refused.stderr, /already exchanged by alice on \S+, last seen 3 min ago\n.*--takeover/)
  const next = await bob.stays(LED('shop'), 'exchange', 'shop', ...EXPOSE, '--takeover')
  await becomes(t, 'http://shop/', 'local')
  t.regex((await alice.kt('exchange', 'shop', ...EXPOSE, '--takeover')).stderr, /already exchanged by bob on /)
  t.is((await alice.kt('clean', '--thresholdInMinus', '2')).stdout, CLEAN)
  await becomes(t, 'http://shop/', 'local')
  t.is((await next.stop()).code, 0)
  await becomes(t, 'http://shop/', 'pod')
  t.is((await bob.kt('clean', '--dryRun')).stdout, CLEAN)
})

// ---- kt rbac -----------------------------------------------------------------------------------------------------------

interface Role {
  rules: { apiGroups: [string]; resources: [string]; verbs: string[] }[]
}

/** What `kt rbac` prints for a command. */
async function printed(command: string): Promise<Rule[]> {
  const { stdout } = await runKt(['rbac', command, '-n', NAMESPACE, '--output', 'json'])
  const [role] = (JSON.parse(stdout) as { items: [Role] }).items
  return role.rules.map(({ apiGroups: [group], resources: [resource], verbs }) => ({ group, resource, verbs }))
}

async function allowed(rules: Rule[]): Promise<void> {
  await bob.user.allow(rules)
  await delay(300) // the API server's own watch of roles
}

const COMMANDS: Record<string, { ready?: string; words: string[] }> = {
  exchange: { ready: LED('shop'), words: ['deployment/shop', ...EXPOSE] },
  preview: { ready: "by name 'shop-next'", words: ['shop-next', ...EXPOSE, '--external'] },
  forward: { ready: 'Now you can access port', words: ['statefulset/stock', `${OWN_PORT}:8080`] },
  recover: { words: ['--all'] },
  clean: { words: [] }
}

for (const [command, { ready, words }] of Object.entries(COMMANDS)) {
  test.serial(
    `kt ${command} under Pod Security "restricted" with no more than the Role that kt rbac prints`,
    async t => {
      await allowed(await printed(command))
      if (ready === undefined) {
        const { code, stderr } = await bob.kt(command, ...words)
        t.is(code, 0, stderr)
        return
      }
      const running = await bob.stays(ready, command, ...words)
      const ended = await running.stop()
      t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
    }
  )
}

test.serial('kt up, too', async t => {
  await network(t)
  await allowed(await printed('up'))
  const running = await kt0([], bob.user.file)
  const ended = await running.stop()
  t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
})

test.serial('each missing verb is one line that names verb, resource and command', async t => {
  const rules = await printed('exchange')
  await allowed([])
  const { code, stderr } = await bob.kt('exchange', 'shop', ...EXPOSE, ...imageArguments())
  t.is(code, 4)
  const [, list = ''] = /missing are: (.*)\n/.exec(stderr) ?? []
  const needed = list.split(', ')
  t.true(needed.length > 10, stderr)
  // A run of kt for each takes a minute: some of them, or with KT_TEST_RIGHTS=all all.
  const tried = process.env.KT_TEST_RIGHTS === 'all' ? needed : needed.filter((_, i) => i % 5 === 0)
  for (const right of tried) {
    const [verb = '', resource = ''] = right.split(' ')
    const less = rules.map(rule =>
      rule.resource === resource ? { ...rule, verbs: rule.verbs.filter(each => each !== verb) } : rule
    )
    await allowed(less.filter(rule => rule.verbs.length > 0))
    const refused = await bob.kt('exchange', 'shop', ...EXPOSE, ...imageArguments())
    t.is(refused.code, 4)
    const line = `kt: user "bob" may not ${verb} ${resource} in namespace ${NAMESPACE}, which kt exchange needs`
    t.is(refused.stderr.split('\n')[0], line)
  }
  await allowed([])
  for (const [command, { words }] of Object.entries(COMMANDS)) {
    const refused = await bob.kt(command, ...words, ...imageArguments())
    t.regex(
      refused.stderr,
      new RegExp(`^kt: user "bob" may not \\w+ \\w+ .*, which kt ${command} needs; missing are: `)
    )
  }
})
