// Whose is a name or an address, and who is asked to reach it: with a real agent on loopback.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import test from 'ava'
import { Resolver } from '../../../lib/dns/server.ts'
import { covers } from '../../../lib/host/plan.ts'
import { ClusterDialer } from '../../../lib/session/network/cluster-dialer.ts'
import { type Tunnel, TunnelError } from '../../../lib/tunnel/tunnel.ts'
import { startAgent, tunnelTo } from '../../_support/agent.ts'
import { bytesOf } from '../../compliance/duplex.ts'
import { SERVICES, table } from '../../dns/_table.ts'

const agent = await startAgent()
const { tunnel, session } = await tunnelTo(agent)
test.after.always(async () => {
  await session.close()
  await agent.stop()
})

/** `10.96.0.0/16` is the cluster's; the agent is on this computer and reaches its loopback, so that this is the cluster's, too. */
const RANGES = [{ cidr: '10.96.0.0/16' }, { cidr: '127.0.0.2/32' }, { cidr: 'fd00:10:96::/112' }]

function dialer(link: { readonly tunnel: Tunnel | undefined } = { tunnel }): ClusterDialer {
  const names = table([...SERVICES, { ...SERVICES[2]!, name: 'here', addresses: ['127.0.0.2'] }])
  const isClusterAddress = (address: string): boolean => covers(RANGES, address)
  const resolver = new Resolver({ names, cluster: () => Promise.reject(new Error('no DNS')), isClusterAddress })
  return new ClusterDialer({ link, resolver, names, isClusterAddress, includeDomains: ['corp.internal'], by: 'test' })
}

test('names by the rules of the resolver, addresses by the ranges; loopback names never', t => {
  const { isCluster } = { isCluster: (host: string) => dialer().isCluster(host) }
  const ours = [
    'nginx',
    'NGINX.demo.',
    'nginx.demo.svc.cluster.local',
    'no-such.demo.svc',
    'git.corp.internal',
    '10.96.0.7',
    '[fd00:10:96::7]'
  ]
  for (const host of ours) t.true(isCluster(host), host)
  for (const host of [
    'www.example.com',
    'no-such',
    '10.97.0.1',
    '192.0.2.1',
    '::1',
    'localhost',
    'nginx.localhost',
    ''
  ])
    t.false(isCluster(host), host)
})

test('lookup: both families, an address is its own, and what is not there is not found', async t => {
  t.deepEqual(await dialer().lookup('dual'), ['10.96.0.8', 'fd00:10:96::8'])
  t.deepEqual(await dialer().lookup('[fd00::1]'), ['fd00::1'])
  const reason = (host: string): Promise<string> =>
    dialer()
      .lookup(host)
      .then(
        () => '',
        (error: TunnelError) => error.reason
      )
  t.is(await reason('no-such.demo.svc'), 'not-found')
  t.is(await reason('git.corp.internal'), 'closed', 'nobody could be asked: nothing is known about the name')
})

async function said(stream: Duplex): Promise<string> {
  const text = String(await bytesOf(stream))
  stream.destroy()
  return text
}

test('dial: through the agent or directly, and what the agent says of a target', async t => {
  const listen = async (host: string): Promise<number> => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end(String(socket.remoteAddress))
    }).listen(0, host)
    await once(server, 'listening')
    t.teardown(() => void server.close())
    return (server.address() as AddressInfo).port
  }
  let asked = 0
  const counting = dialer({
    get tunnel() {
      asked++
      return tunnel
    }
  })
  t.is(await said(await counting.dial('127.0.0.1', await listen('127.0.0.1'))), '127.0.0.1')
  t.is(asked, 0)
  t.regex(await said(await counting.dial('here', await listen('127.0.0.2'))), /^127\./)
  t.is(asked, 1)
  const failed = await t.throwsAsync<TunnelError>(dialer().dial('here', 1))
  t.is(failed.reason, 'refused')
  const without = await t.throwsAsync(dialer({ tunnel: undefined }).dial('here', 80), { instanceOf: TunnelError })
  t.is(without.reason, 'closed')
})
