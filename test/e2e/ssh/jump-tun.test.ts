// kt up --via with its device: the way to the jump host stays outside, whatever names and ranges of the cluster say.
import test from 'ava'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { COMPANY_DOMAIN, joinCompany, NEIGHBOUR, WWW_ADDRESS } from '../_support/company.ts'
import { serviceAddress } from '../_support/demo.ts'
import { kt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'
import { program, succeed } from '../up/_support/program.ts'
import { keepResolver } from '../up/_support/resolver.ts'
import { DEVICE, deviceFor } from '../up/_support/routes.ts'
import { difference, laptopSnapshot } from '../up/_support/snapshot.ts'
import { type JumpGround, layJumpGround, NAMED } from './_support/jump-ground.ts'

/** Longer than the company's range, so that only leaving the jump host out leads there. */
const INCLUDED = '192.0.2.0/25'
const MEBIBYTES = 16
const PODS_END_MS = 20_000

let ground: JumpGround
const undo: (() => Promise<unknown>)[] = []

test.before(async () => {
  if (!builtIn) return
  undo.push(await joinCompany())
  await kubectl(['-n', 'demo', 'create', 'service', 'clusterip', NAMED, '--tcp=80'])
  undo.push(() => kubectl(['-n', 'demo', 'delete', 'service', NAMED]))
  undo.push(await keepResolver())
  await succeed({ input: `search ${COMPANY_DOMAIN}\n` }, 'sh', '-c', 'cat >> /etc/resolv.conf')
  ground = await layJumpGround()
  undo.push(() => ground.remove())
})
test.after.always(async () => {
  for (const each of undo.reverse()) await each()
})

/** What kt has in the namespace, without what others have left there: that goes whenever it does. */
async function objects(others: readonly string[] = []): Promise<string[]> {
  const names = await kubectl(['-n', 'demo', 'get', 'pods,configmaps', '-l', 'control-by=kt', '-o', 'name'])
  return names.split('\n').filter(name => name !== '' && !others.includes(name))
}

async function statusOf(host: string): Promise<string> {
  return (await laptop('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '10', `http://${host}/`]))
    .stdout
}

const onBuiltIn = builtIn ? test.serial : test.serial.skip

onBuiltIn('names and addresses; the jump host by its own address, also when it is lost; all is put back', async t => {
  const before = await laptopSnapshot()
  const others = await objects()
  const { env, sshd } = ground
  const running = await startKt(['-n', 'demo', '--via', NAMED, '--includeIps', INCLUDED], { env })
  try {
    for (const host of ['nginx.demo', await serviceAddress('nginx')]) t.is(await statusOf(host), '200')
    t.deepEqual([await deviceFor(WWW_ADDRESS), await deviceFor(NEIGHBOUR)], ['eth0', DEVICE])
    t.regex(running.output(), /192\.0\.2\.11 is left out: the jump host before the API server/)
    const named = (await program('getent', 'ahostsv4', NAMED)).split(/\s/)[0]
    t.is(named, await serviceAddress(NAMED), 'its name is a service by now')

    const url = `http://node-echo/random?mb=${MEBIBYTES}&seed=tun`
    const download = laptop('sh', ['-c', `curl -sS --max-time 30 --limit-rate 8M '${url}' | sha256sum`])
    await new Promise(resolve => setTimeout(resolve, 500))
    await sshd.cut()
    const { stdout, stderr } = await download
    t.is(stdout.split(' ')[0], sha256(knownBytes(MEBIBYTES, 'tun')), stderr)
    const rows = JSON.parse((await kt(['status', '--output', 'json'], { env })).stdout) as { status: SessionStatus }[]
    const events = rows[0]!.status.carriers.map(({ event }) => event)
    t.deepEqual([events[0], events.at(-1), events.includes('restarted')], ['connected', 'resumed', false])
    t.is(await statusOf('nginx'), '200')
  } finally {
    const { code, stdout } = await running.stop()
    t.is(code, 0)
    t.regex(stdout, /Stopped, everything is as it was\n$/)
  }
  t.deepEqual(difference(before, await laptopSnapshot()), { gone: [], come: [] })
  t.is(await eventually('', PODS_END_MS, async () => (await objects(others)).join(' ')), '')
})
