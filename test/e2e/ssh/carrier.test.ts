// kt up --carrier ssh: what kt up does, inside an ssh connection with the pod; and what becomes of that when its way is cut.
import test from 'ava'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { kt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { laptop } from '../_support/laptop.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'

/** More than the buffers of the way hold: when it is reset, much is still to come. */
const MEBIBYTES = 96

test.serial('bytes both ways; connections go on after a reset of the way', async t => {
  const running = await startKt(['-n', 'demo', '--carrier', 'ssh'])
  t.teardown(() => running.stop())
  const url = `http://node-echo/random?mb=${MEBIBYTES}&seed=carrier`
  const server = await kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'])
  const stopped = ['OUTPUT', '-p', 'tcp', '--dport', new URL(server.trim()).port || '443', '-j', 'REJECT']
  const download = laptop('sh', ['-c', `curl -sS --max-time 60 --limit-rate 24M '${url}' | sha256sum`])
  await new Promise(resolve => setTimeout(resolve, 1_000))
  const reset = ['--reject-with', 'tcp-reset']
  const pass = (): ReturnType<typeof laptop> => laptop('iptables', ['-w', '-D', ...stopped, ...reset])
  t.teardown(pass) // again, in case the test ends before
  t.is((await laptop('iptables', ['-w', '-I', ...stopped, ...reset])).code, 0)
  await new Promise(resolve => setTimeout(resolve, 500))
  t.is((await pass()).code, 0)
  const { stdout, stderr } = await download
  t.is(stdout.split(' ')[0], sha256(knownBytes(MEBIBYTES, 'carrier')), stderr)
  const rows = JSON.parse((await kt(['status', '--output', 'json'])).stdout) as { status: SessionStatus }[]
  const events = rows[0]!.status.carriers.map(({ event }) => event)
  t.deepEqual([events[0], events.at(-1), events.includes('restarted')], ['connected', 'resumed', false])
  const echo = `head -c 8000000 /dev/zero | curl -sS --max-time 30 -T - -o /dev/null -w '%{http_code} %{size_upload}' http://node-echo/`
  t.regex((await laptop('sh', ['-c', echo])).stdout, /^200 80\d{5}$/) // curl counts the lengths of its chunks, too
  const labelled = ['-n', 'demo', 'get', 'configmaps', '-l', 'kt-role=shadow-connect']
  t.regex(await kubectl([...labelled, '-o', 'jsonpath={.items[*].data}']), /"ssh-door\.cjs"/)
})
