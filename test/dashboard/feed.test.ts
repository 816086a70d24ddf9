// What pages are told, and what it costs when there are none.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { DNS_MAX, Feed } from '../../lib/dashboard/feed.ts'
import { FlowTable, SHOWN_MAX } from '../../lib/dashboard/flow-table.ts'
import type { Update } from '../../lib/dashboard/model.ts'
import { connectionTrace, dnsTrace, inboundTrace } from '../../lib/trace.ts'
import { FakeSession, flow } from './_shown.ts'

const QUESTION = { name: 'nginx', type: 'A', source: 'watch', rcode: 0, ms: 1, addresses: ['10.96.0.9'], why: 'short' }

test.serial('only while a page is connected anything is listened to or asked', async t => {
  const shown = new FakeSession()
  const feed = new Feed(shown)
  const idle = (): boolean =>
    !dnsTrace.hasSubscribers && !connectionTrace.hasSubscribers && !inboundTrace.hasSubscribers && !shown.ended
  t.true(idle())
  t.is(shown.asked, 0)
  const [first, second] = [feed.subscribe(() => {}), feed.subscribe(() => {})]
  t.true(dnsTrace.hasSubscribers && connectionTrace.hasSubscribers && inboundTrace.hasSubscribers)
  t.is(typeof shown.ended, 'function')
  first()
  t.true(dnsTrace.hasSubscribers)
  second()
  second()
  t.true(idle())
  await sleep(600)
  t.is(shown.asked, 1)
})

test.serial('a connection is told within a tick, its end with the last figures', async t => {
  const shown = new FakeSession()
  const updates: Update[] = []
  const stop = new Feed(shown).subscribe(update => updates.push(update))
  t.teardown(stop)
  t.deepEqual(updates[0]!.flows, [])
  shown.live = [flow(40_000)]
  await sleep(700)
  const told = updates.findLast(({ flows }) => flows !== undefined)!.flows!
  t.like(told[0], { port: 40_000, address: '10.96.0.7', name: 'nginx.demo.svc', state: 'ESTABLISHED', ended: 0 })
  shown.live = []
  shown.ended?.(flow(40_000, { receivedBytes: 1_000, state: 'LAST_ACK' }))
  await sleep(700)
  const [over] = updates.findLast(({ flows }) => flows !== undefined)!.flows!
  t.like(over, { port: 40_000, receivedBytes: 1_000, state: 'CLOSED' })
  t.true(over!.ended >= over!.since)
})

test.serial('questions are told with their reason, and no more are kept than fit', async t => {
  const updates: Update[] = []
  const feed = new Feed(new FakeSession())
  t.teardown(feed.subscribe(update => updates.push(update)))
  for (let i = 0; i < DNS_MAX + 50; i++) dnsTrace.publish({ ...QUESTION, name: `n${i}` })
  await sleep(700)
  const dns = updates.find(update => update.dns !== undefined && !update.whole)!.dns!
  t.is(dns.length, DNS_MAX)
  t.like(dns.at(-1), { name: `n${DNS_MAX + 49}`, rcode: 'NOERROR', why: 'short', source: 'watch' })
  let whole: Update | undefined
  feed.subscribe(update => {
    whole ??= update
  })()
  t.is(whole!.dns!.length, DNS_MAX)
})

test('a name that the DNS has answered is shown, not that of the service', t => {
  const table = new FlowTable(() => 'service')
  table.answered('shop.example', ['10.96.0.7'])
  table.update([flow(1), flow(2, { destination: '10.96.0.8' })], 0)
  t.deepEqual(
    table.rows(0).map(({ name }) => name),
    ['shop.example', 'service']
  )
})

test('a refusal is one row, whichever is told first', t => {
  const table = new FlowTable(() => undefined)
  const dial = { network: 'tcp', source: '198.18.0.1:5000', destination: '10.96.0.7:80' }
  table.update([flow(5000, { state: 'DIALLING' })], 1)
  table.dialled({ ...dial, event: 'refused' }, true, 2)
  table.over(flow(5000, { state: 'DIALLING' }), 2)
  t.deepEqual(
    table.rows(2).map(({ state, port }) => ({ state, port })),
    [{ state: 'REFUSED', port: 5000 }]
  )
  table.dialled({ ...dial, event: 'opened' }, true, 3)
  t.is(table.rows(3).length, 1)
  table.dialled({ ...dial, source: 'proxy', event: 'opened' }, false, 4)
  t.like(table.rows(4)[0], { state: 'OPEN', port: 0 })
})

test('rows are bounded, live or over, and those that are over go after a minute', t => {
  const table = new FlowTable(() => undefined)
  table.update(
    Array.from({ length: 3_000 }, (_, i) => flow(i + 1)),
    1
  )
  t.is(table.rows(1).length, SHOWN_MAX)
  table.update([], 2)
  t.true(table.rows(2).length <= 200)
  t.is(table.rows(70_000).length, 0)
})
