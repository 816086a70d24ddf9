// How fast names are answered: dnsperf through the TUN, and the cluster's CoreDNS from a node in the same run.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { builtIn, collect } from '../_support/laptop.ts'
import { program } from '../up/_support/program.ts'
import { quantile } from '../up/_support/statistics.ts'
import { KT_RESOLVER, settings } from './_support/ask.ts'

const onCluster = builtIn ? test.serial : test.serial.skip
/** The goals are 10,000 questions/s, none lost, and a p99 of 5 ms; a machine that does other things beside gets a quarter of it. */
const LEAST_PER_SECOND = 10_000 / 4
const P99_MAX_MS = 5 * 10
const SECONDS = '4'
/** Questions on their way at once, and a rate at which latency is looked at. */
const [OUTSTANDING, RATE] = ['100', '10000']

const QUESTIONS = [
  'nginx.demo.svc.cluster.local A',
  'nginx.demo.svc.cluster.local AAAA',
  'kube-dns.kube-system.svc.cluster.local A',
  'nginx-headless.demo.svc.cluster.local A',
  '_http._tcp.nginx.demo.svc.cluster.local SRV',
  'web-0.web.demo.svc.cluster.local A',
  'redis.demo.svc.cluster.local A',
  'nothing.demo.svc.cluster.local A',
  '10.0.96.10.in-addr.arpa PTR'
]

const folder = mkdtempSync(join(tmpdir(), 'kt-dnsperf-'))
const file = join(folder, 'questions')
let kt: RunningKt | undefined

test.before(async () => {
  writeFileSync(file, `${QUESTIONS.join('\n')}\n`)
  if (builtIn) kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Figures {
  perSecond: number
  lost: number
  /** At `RATE` questions a second. */
  latencies: number[]
}

type Run = (...args: string[]) => Promise<string>

const onLaptop: Run = (...args) => program('dnsperf', '-s', KT_RESOLVER, '-d', file, '-l', SECONDS, ...args)

/** The same from a node, where nothing of kt is in between. */
const onNode: Run = async (...args) => {
  const { nodeList, dnsAddress } = settings()
  const words = ['dnsperf', '-s', dnsAddress, '-d', file, '-l', SECONDS, ...args]
  const child = spawn('nsenter', [`--net=/run/netns/${nodeList[0]!.netns}`, ...words], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const output = collect(child.stdout)
  await once(child, 'close')
  return output()
}

async function measure(run: Run): Promise<Figures> {
  const fast = await run('-q', OUTSTANDING)
  const steady = await run('-q', OUTSTANDING, '-Q', RATE, '-v')
  const count = (pattern: RegExp, text: string): number => Number(pattern.exec(text)?.[1] ?? Number.NaN)
  return {
    perSecond: count(/Queries per second: +([\d.]+)/, fast),
    lost: count(/Queries lost: +(\d+)/, fast) + count(/Queries lost: +(\d+)/, steady),
    latencies: [...steady.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(([, seconds]) => Number(seconds) * 1000)
  }
}

function say(t: ExecutionContext, who: string, { perSecond, lost, latencies }: Figures): void {
  const p = (share: number): string => quantile(latencies, share).toFixed(2)
  t.log(
    `${who}: ${perSecond.toFixed(0)} questions/s, ${lost} lost; at ${RATE}/s p50 ${p(0.5)} ms, p99 ${p(0.99)} ms of ${latencies.length}`
  )
}

/** Seconds of one core that a process has used (proc(5): utime and stime in hundredths). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

onCluster('dnsperf: names of the cluster through the TUN, next to CoreDNS', async t => {
  t.timeout(120_000)
  const theirs = await measure(onNode)
  const [began, used] = [performance.now(), cpuSeconds(kt!.pid)]
  const ours = await measure(onLaptop)
  const cores = (cpuSeconds(kt!.pid) - used) / ((performance.now() - began) / 1000)
  say(t, 'CoreDNS, from a node', theirs)
  say(t, 'kt, through the TUN', ours)
  t.log(`kt has used ${cores.toFixed(2)} cores`)
  t.is(ours.lost, 0)
  t.true(ours.perSecond >= LEAST_PER_SECOND)
  t.true(ours.latencies.length > 1000)
  // A machine on which CoreDNS needs longer, too, says nothing about kt.
  t.true(quantile(ours.latencies, 0.99) <= Math.max(P99_MAX_MS, 2 * quantile(theirs.latencies, 0.99)))
})
