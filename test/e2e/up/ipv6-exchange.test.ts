// kt exchange of a service that has no IPv4 address, by selector and by scaling: callers come by IPv6, and their addresses are told.
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { inCluster } from '../_support/demo.ts'
import { startCommand } from '../_support/kt.ts'
import { builtIn, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from './_support/eventually.ts'

const options = { cluster: 'dual-stack' } as const
const dualStack = builtIn ? test.serial : test.skip
const PORTS = [18_080, 18_000, 18_053].map(String)

let stopLocal = (): void => {}

test.before(async () => {
  if (!builtIn) return
  const file = join(import.meta.dirname, '../traffic-in/peers/local.peer.ts')
  const child = spawnOnLaptop(process.execPath, [file, ...PORTS], options)
  stopLocal = () => child.kill('SIGKILL')
  await once(child.stdout, 'data')
})
test.after.always(() => stopLocal())

async function who(): Promise<string> {
  const text = await inCluster('curl -sS -m 5 http://node-echo-v6/ || true', options)
  return text.startsWith('local') ? 'local' : /"pod":"node-echo-/.test(text) ? 'pod' : text
}

for (const [mode, banner] of [
  ['selector', "service 'node-echo-v6'"],
  ['scale', "deployment 'node-echo'"]
] as const) {
  dualStack(`--mode ${mode}: original, local, original`, async t => {
    t.is(await who(), 'pod')
    const running = await startCommand(
      ['exchange', 'node-echo-v6', '-n', 'demo', '--expose', `${PORTS[0]}:80`, '--mode', mode, '--debug'],
      `Now all request to ${banner} will be redirected to local`,
      options
    )
    t.is(await eventually('local', 5000, who), 'local')
    t.regex(running.output(), /\s[0-9a-f:]*:[0-9a-f:]+:\d+ → 8080\/tcp → 127\.0\.0\.1:18080: opened/)
    t.is((await running.stop()).code, 0)
    t.is(await eventually('pod', 5000, who), 'pod')
  })
}
