// Who is asked for what: the company for its names, the cluster for its own, and nobody for more than is needed.
import test from 'ava'
import { type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { program } from '../up/_support/program.ts'
import { askOnLaptop, KT_RESOLVER, peerPath } from './_support/ask.ts'
import { type Company, startCompany } from './_support/company.ts'
import { stopCoreDns, watchCoreDns } from './_support/coredns.ts'

const onCluster = builtIn ? test.serial : test.serial.skip
const SEARCH = 'search corp.example.test'
const SEEN_MS = 1000
const FAILS_WITHIN_MS = 5000

let company: Company | undefined
let kt: RunningKt | undefined

test.before(async () => {
  if (!builtIn) return
  company = await startCompany([SEARCH])
  kt = await startKt(['--namespace', 'demo'])
})
test.after.always(async () => {
  await kt?.stop()
  await company?.stop()
  if (builtIn) await kubectl(['-n', 'demo', 'delete', 'service', 'names-new', '--ignore-not-found'])
})

async function address(name: string): Promise<string> {
  const { stdout } = await laptop('getent', ['ahostsv4', name])
  return stdout.split(/\s/)[0] ?? ''
}

onCluster('search and ndots: every spelling of a pod, and the search domain of the company', async t => {
  const nginx = await address('nginx.demo.svc.cluster.local')
  t.regex(nginx, /^10\.96\./)
  for (const name of ['nginx', 'nginx.demo', 'nginx.demo.svc', 'nginx.demo.svc.cluster.local.', 'NGINX.Demo']) {
    t.is(await address(name), nginx, name)
  }
  t.is(await address('kubernetes.default'), '10.96.0.1')
  t.is(await address('intranet'), '192.0.2.20', 'the search domain of the company')
  t.is(await address('intranet.corp.example.test'), '192.0.2.20')
  t.is(await address('www.example.test'), '192.0.2.11')
  t.is(await address('nowhere'), '')
  const srv = await program('dig', '+short', '+search', '_http._tcp.nginx', 'SRV')
  t.regex(srv, /^0 100 80 nginx\.demo\.svc\.cluster\.local\.$/m)
})

onCluster('created, changed and deleted services are seen within a second', async t => {
  const name = 'names-new'
  const create = (externalName: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'demo' },
      spec: { type: 'ExternalName', externalName }
    })
  const says = async (): Promise<string> =>
    (await program('dig', '+short', `@${KT_RESOLVER}`, `${name}.demo.svc.cluster.local`, 'CNAME')).trim()
  const seen = async (wanted: string): Promise<number> => {
    const began = performance.now()
    t.is(await eventually(wanted, SEEN_MS, says), wanted)
    return performance.now() - began
  }
  t.is(await says(), '')
  await kubectl(['apply', '-f', '-'], { input: create('one.example.test') })
  const times = [await seen('one.example.test.')]
  await kubectl(['apply', '-f', '-'], { input: create('two.example.test') })
  times.push(await seen('two.example.test.'))
  await kubectl(['-n', 'demo', 'delete', 'service', name])
  times.push(await seen(''))
  t.log(`after kubectl had returned: ${times.map(ms => `${ms.toFixed(0)} ms`).join(', ')}`)
})

onCluster('200 programs ask for one unknown name at once: the company is asked once', async t => {
  company!.questions()
  const name = 'nobody.late.example.test'
  const answers = JSON.parse(await program(process.execPath, peerPath('crowd'), KT_RESOLVER, name, '200')) as string[]
  t.deepEqual(new Set(answers), new Set(['NXDOMAIN']))
  t.is(answers.length, 200)
  t.is(company!.questions().filter(question => question.startsWith(name)).length, 1)
})

onCluster('a public name costs one more question at most, and none of the cluster', async t => {
  t.timeout(300_000)
  const coredns = await watchCoreDns()
  try {
    let tries = 0
    const reached = await eventually(true, 20_000, async () => {
      const marker = `marker-${++tries}.nowhere.cluster.local` // another one each time: kt keeps an answer
      await askOnLaptop([[marker, 'A']])
      return (await coredns.questions()).includes(`${marker} A`)
    })
    t.true(reached, 'so that a question to the cluster would be seen')
    company!.questions()
    t.is(await address('www.example.test'), '192.0.2.11')
    const through = company!.questions()
    t.true(through.length >= 1 && through.length <= 2, through.join(', '))
    for (const args of [
      ['ahosts', 'wpad'],
      ['ahosts', 'wpad.demo'],
      ['ahosts', 'wpad.demo.svc.cluster.local'],
      ['hosts', '192.0.2.99'],
      ['hosts', '192.168.7.7'],
      ['hosts', '2001:db8::7']
    ]) {
      await laptop('getent', args)
    }
    const asked = (await coredns.questions()).filter(question => !question.startsWith('marker'))
    t.deepEqual(
      asked.filter(question => /wpad|example\.test|\.192\.in-addr\.arpa|8\.b\.d/.test(question)),
      []
    )
    t.true(
      company!.questions().some(question => question.startsWith('7.7.168.192')),
      'it is the company that is asked'
    )
  } finally {
    await coredns.stop()
  }
})

onCluster(
  "without the cluster's DNS: other names as ever, unknown ones of the cluster fail in less than 5 s",
  async t => {
    t.timeout(300_000)
    const bringBack = await stopCoreDns()
    try {
      const began = performance.now()
      const [unknown] = await askOnLaptop([['10-1-2-3.demo.pod.cluster.local', 'A']])
      const took = performance.now() - began
      t.log(`failed after ${took.toFixed(0)} ms`)
      t.is(unknown?.rcode, 'SERVFAIL')
      t.true(took < FAILS_WITHIN_MS)
      const [service, gone] = await askOnLaptop([
        ['nginx.demo.svc.cluster.local', 'A'],
        ['gone.demo.svc.cluster.local', 'A']
      ])
      t.is(service?.answers.length, 1, 'services are known without it')
      t.is(gone?.rcode, 'NXDOMAIN')
      const { stdout, ms } = await laptop('getent', ['ahostsv4', 'www.example.test'])
      t.regex(stdout, /^192\.0\.2\.11 /)
      t.true(ms < 1000, `${ms} ms`)
    } finally {
      await bringBack()
    }
  }
)
