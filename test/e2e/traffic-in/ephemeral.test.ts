// kt exchange --mode ephemeral: a container in one pod, where it can work, and a clear word where it cannot. Under Pod Security `restricted`.
import test from 'ava'
import { type RunningKt, startCommand } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { eventually } from '../up/_support/eventually.ts'
import { difference } from '../up/_support/snapshot.ts'
import { SOON_MS, tcpAndUdp, whoAnswers } from './_support/callers.ts'
import {
  allow,
  applyAll,
  clear,
  HOME,
  HTTP,
  inPod,
  kt,
  NAMESPACE,
  prepare,
  service,
  UDP,
  userFile
} from './_support/ground.ts'
import { MODE_RULES, written } from './_support/workloads.ts'

/** Nobody in the pods listens there. */
const FREE = 9000

test.before(async () => {
  await prepare('stock')
  await allow(MODE_RULES)
  const selector = { 'statefulset.kubernetes.io/pod-name': 'stock-0' }
  await applyAll([
    service(
      'side',
      [
        { name: 'http', port: 80, targetPort: FREE },
        { name: 'udp', port: 7000, targetPort: FREE, protocol: 'UDP' }
      ],
      {
        selector
      }
    )
  ])
})
test.after.always(clear)

async function inside(target: string, expose: string, ...args: string[]): Promise<RunningKt> {
  return await startCommand(
    ['exchange', target, '--mode', 'ephemeral', '--expose', expose, '--kubeconfig', userFile(), ...args],
    "Now all request to pod 'stock-0' will be redirected to local",
    HOME
  )
}

/** The states of the ephemeral containers of stock-0. */
async function states(): Promise<string[]> {
  const path = 'jsonpath={range .status.ephemeralContainerStatuses[*]}{.state}{"\\n"}{end}'
  const text = await kubectl(['-n', NAMESPACE, 'get', 'pod', 'stock-0', '-o', path])
  return text
    .split('\n')
    .filter(Boolean)
    .map(state =>
      `${Object.keys(JSON.parse(state) as object)[0]} ${(JSON.parse(state) as { terminated?: { exitCode: number } }).terminated?.exitCode ?? ''}`.trim()
    )
}

const answer = (): Promise<string> =>
  inPod("fetch('http://side/').then(r => r.text(), e => e.cause.code).then(console.log)")

test.serial('a free port of one pod, TCP and UDP, leads here; the agent ends itself with the command', async t => {
  const before = await written()
  t.is(await answer(), 'ECONNREFUSED\n')
  const running = await inside('side', `${HTTP}:80,${UDP}:7000/udp`)
  t.regex(running.output(), /Container kt-exchange-[a-z]{5} cannot be removed: it ends by itself/)
  t.is(await whoAnswers('http://side/'), 'local')
  const udp = async (): Promise<string | undefined> => (await tcpAndUdp('side')).split(', ')[1]
  t.is(await eventually('local hi', SOON_MS, udp), 'local hi')
  t.is(await whoAnswers('http://stock/'), 'pod')
  t.deepEqual(difference(before, await written()), { gone: [], come: [] })
  const ended = await running.stop()
  t.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
  t.is(await eventually('ECONNREFUSED\n', SOON_MS, answer), 'ECONNREFUSED\n')
  t.is(await eventually('terminated 0', SOON_MS, async () => (await states()).join()), 'terminated 0')
})

test.serial('by the name of the pod, a second time; killed, the agent gives the port free by itself', async t => {
  const running = await inside('pod/stock-0', `${HTTP}:${FREE}`, '--grace', '10')
  t.is(await whoAnswers('http://side/'), 'local')
  const second = await kt('exchange', 'pod/stock-0', '--mode', 'ephemeral', '--expose', `${HTTP}:${FREE}`)
  t.is(second.code, 2)
  t.regex(
    second.stderr,
    /^kt: --mode ephemeral cannot work in pod stock-0: a program of the pod listens at port 9000\n/
  )
  await running.stop('SIGKILL')
  t.is(
    await eventually('terminated 0,terminated 0', 25_000, async () => (await states()).join()),
    'terminated 0,terminated 0'
  )
  t.is(await answer(), 'ECONNREFUSED\n')
})

test.serial('where it cannot work: said before anything is changed, with the mode to use', async t => {
  const had = (await states()).length
  for (const [target, expose, line] of [
    [
      'pod/stock-0',
      `${HTTP}:8080`,
      /^2 kt: .* in pod stock-0: a program of the pod listens at port 8080; .*NET_ADMIN.*--mode selector/
    ],
    [
      'pod/stock-0',
      `${HTTP}:81`,
      /^2 kt: .*a container without privileges cannot listen at port 81; .*--mode selector/
    ],
    [
      'stock',
      `${HTTP}:80`,
      /^2 kt: --mode ephemeral is for one pod; behind service stock there are 2: pod\/stock-0, pod\/stock-1; /
    ],
    ['pod/none', `${HTTP}:9000`, /^4 kt: there is no pod "none" in namespace traffic-in-ephemeral;/],
    ['pod/stock-0', `${HTTP}:grpc`, /^2 kt: pod stock-0 has no port named "grpc"; it declares: web 8080/],
    ['pod/stock-0', `1:${FREE}`, /^3 kt: nobody listens at 127\.0\.0\.1:1; nothing has been changed/]
  ] as const) {
    const { code, stderr } = await kt('exchange', target, '--mode', 'ephemeral', '--expose', expose)
    t.regex(`${code} ${stderr.replace('\n    ', '; ').trim()}`, line)
  }
  await allow(MODE_RULES.filter(({ resource }) => resource !== 'pods/ephemeralcontainers'))
  const { code, stderr } = await kt('exchange', 'side', '--mode', 'ephemeral', '--expose', `${HTTP}:80`)
  t.is(code, 4)
  t.regex(stderr, /^kt: user "developer" may not patch pods\/ephemeralcontainers in namespace traffic-in-ephemeral/)
  t.is((await states()).length, had)
})
