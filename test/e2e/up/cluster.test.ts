// The ground under the other tests: a real cluster, and a laptop that is no part of it.
import test from 'ava'
import { inCluster, podAddresses, serviceAddress } from '../_support/demo.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, laptop } from '../_support/laptop.ts'

/** curl: could not connect, or no answer in time. */
const UNREACHABLE = [7, 28]

test('all nodes are ready', async t => {
  const path = 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
  const ready = (await kubectl(['get', 'nodes', '-o', path])).trim().split('\n')
  t.deepEqual(
    ready,
    ready.map(() => 'True')
  )
})

test('the cluster resolves its names', async t => {
  const address = await serviceAddress('nginx')
  t.true((await inCluster('nslookup nginx.demo.svc.cluster.local')).includes(address))
  t.true((await inCluster('nslookup alias.demo.svc.cluster.local')).includes(address))
})

test('services answer inside the cluster', async t => {
  t.regex(await inCluster('curl -sS -m 5 http://nginx/'), /^nginx /)
  t.regex(await inCluster('curl -sS -m 5 http://node-echo/'), /"pod":"node-echo-/)
  t.is(await inCluster('redis-cli -h redis ping'), 'PONG\n')
  t.is(await inCluster('printf echo | socat -t 2 - TCP:node-echo:7000'), 'echo')
  t.is(await inCluster('printf echo | socat -t 2 - UDP:node-echo:7000'), 'echo')
  t.regex(await inCluster('printf hi | socat -t 2 - TCP:sockets:7001'), /^2 8f434346648f6b96/)
})

test('a large answer is the same each time, and what is sent arrives', async t => {
  const sum = await inCluster('curl -sS -m 20 "http://node-echo/random?mb=4&seed=7" | sha256sum')
  t.is(await inCluster('curl -sS -m 20 "http://node-echo/random?mb=4&seed=7" | sha256sum'), sum)
  const upload = await inCluster(
    'curl -sS "http://node-echo/random?mb=4&seed=7" | curl -sS --data-binary @- http://node-echo/upload'
  )
  t.true(upload.includes(sum.split(' ')[0]!))
})

test('without kt the laptop reaches neither services nor pods nor names', async t => {
  if (!builtIn) return t.pass('somebody else arranged that laptop')
  const targets = [await serviceAddress('nginx'), ...(await podAddresses('nginx')), 'nginx.demo.svc.cluster.local']
  for (const target of targets) {
    const { code } = await laptop('curl', ['-sS', '-m', '2', `http://${target}/`])
    t.true([...UNREACHABLE, 6].includes(code!), `${target}: curl says ${code}`)
  }
  t.is((await laptop('ip', ['route', 'show', 'default'])).stdout, '')
})

test('the laptop has its own resolver', async t => {
  if (!builtIn) return t.pass('somebody else arranged that laptop')
  t.is((await laptop('dig', ['+short', 'www.example.test'])).stdout, '192.0.2.11\n')
})
