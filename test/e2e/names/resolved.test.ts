// Beside a real systemd-resolved: settings of kt's link alone, only the cluster's names come to us, and all of it is put back.
import test from 'ava'
import { withResolved } from '../../cluster/resolved.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { imageArguments, KT, READY_LINE } from '../_support/kt.ts'
import { builtIn } from '../_support/laptop.ts'
import { succeed } from '../up/_support/program.ts'
import { peerPath } from './_support/ask.ts'

const onCluster = builtIn ? test.serial : test.serial.skip

interface Seen {
  before: string
  after: string
  found: Record<string, string>
  reverse: string
  link: string
  server: string
  route: string
  later: string
  asked: string[]
  output: string
}

onCluster('systemd-resolved asks us for names of the cluster only, and is as it was afterwards', async t => {
  t.timeout(180_000)
  const args = [KT, READY_LINE, '--namespace', 'demo', ...imageArguments()]
  const words = await withResolved(cacheDirectory(process.env), [process.execPath, peerPath('resolved'), ...args])
  const seen = JSON.parse(await succeed({ timeoutMs: 150_000 }, words[0]!, ...words.slice(1))) as Seen
  t.true(seen.output.includes('DNS (systemd-resolved)'), seen.output)
  t.regex(seen.found['nginx.demo.svc.cluster.local'] ?? '', /^10\.96\./)
  t.is(seen.found.nginx, seen.found['nginx.demo.svc.cluster.local'])
  t.is(seen.found['nginx.demo'], seen.found.nginx)
  t.is(seen.found['kubernetes.default'], '10.96.0.1')
  t.is(seen.found['www.example.test'], '192.0.2.11')
  t.regex(seen.reverse, /nginx\.demo\.svc\.cluster\.local/)
  t.regex(seen.server, /: 198\.18\.0\.2$/)
  t.regex(seen.route, /: no$/)
  for (const domain of ['demo.svc.cluster.local', '~svc', '~kube-system', '~96.10.in-addr.arpa']) {
    t.true(seen.link.split(/\s+/).includes(domain), `${domain}: ${seen.link}`)
  }
  t.false(seen.link.includes('names-late'))
  t.true(seen.later.split(/\s+/).includes('~names-late'), 'a namespace that appears is routed, too')
  t.deepEqual(
    seen.asked.filter(name => name.endsWith('example.test')),
    []
  )
  t.true(seen.asked.includes('nginx.demo.svc.cluster.local'))
  t.is(seen.after, seen.before)
})
