// Sessions on one computer that tell each other what they are, over their control sockets.
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { openNeighbour, serveControl } from '../../../lib/session/control.ts'
import { type Facts, Neighbours } from '../../../lib/session/network/neighbours.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-neighbours-'))
const LIMIT_MS = 2000
let count = 0

/** Two that know each other, the first one first. */
async function pair(t: ExecutionContext): Promise<[Neighbours, Neighbours]> {
  const [one, other] = [new Neighbours(), new Neighbours()]
  // Both are this process here: they are told apart by what they say.
  one.tell({ pid: 1, since: 1, context: 'east' })
  other.tell({ pid: 2, since: 2, context: 'west' })
  const path = join(folder, `${++count}.sock`)
  const close = await serveControl(
    path,
    control(socket => one.accept(socket))
  )
  other.accept(await openNeighbour(path, LIMIT_MS))
  t.teardown(() => {
    for (const each of [one, other]) each.close()
    close()
  })
  t.true(await one.until(() => one.list.length === 1, LIMIT_MS))
  t.true(await other.until(() => other.list.length === 1, LIMIT_MS))
  return [one, other]
}

function control(neighbour?: (socket: Duplex) => void): Parameters<typeof serveControl>[1] {
  return {
    status: () => ({}),
    explain: async () => undefined,
    capture: () => undefined,
    dashboard: async () => undefined,
    stop: () => {},
    ...(neighbour === undefined ? {} : { neighbour })
  }
}

test('each knows the other, and what has become of it', async t => {
  const [one, other] = await pair(t)
  t.deepEqual([one.list[0]?.context, other.list[0]?.context], ['west', 'east'])
  t.is(other.leader, undefined)
  one.tell({ leads: true, outside: ['192.0.2.1'] })
  t.true(await other.until(() => other.leader?.pid === 1, LIMIT_MS))
  t.deepEqual(other.outside, [{ address: '192.0.2.1', reason: 'the way of the kt of context east to its cluster' }])
  one.close()
  t.true(await other.until(() => other.list.length === 0, LIMIT_MS))
})

test('who goes hands over to the first that can, and waits for it', async t => {
  const [one, other] = await pair(t)
  const before = { kind: 'file', text: 'nameserver 192.0.2.53\n' } as const
  t.false(await one.handOver(before), 'nobody can')
  other.tell({ resolver: '198.18.0.6' })
  t.true(await one.until(() => one.list[0]?.resolver !== '', LIMIT_MS))
  let taken: unknown
  other.onTake = what => {
    taken = what
    other.tell({ leads: true })
  }
  t.true(await one.handOver(before))
  t.deepEqual(taken, before)
})

test('one that dies instead of taking over is not waited for', async t => {
  const [one, other] = await pair(t)
  other.tell({ resolver: '198.18.0.6' })
  t.true(await one.until(() => one.list[0]?.resolver !== '', LIMIT_MS))
  other.onTake = () => other.close()
  const began = performance.now()
  t.false(await one.handOver({ kind: 'missing' }))
  t.true(performance.now() - began < LIMIT_MS)
})

test('what is no session is left alone', async t => {
  for (const said of ['{"facts":{"pid":"1"}}\n', 'null\n', '[]\n', '\n', '{\n', 'x'.repeat(300_000)]) {
    const session = new Neighbours()
    const [near, far] = duplexPair()
    session.accept(near)
    far.write(said)
    far.resume()
    await sleep(5)
    t.true(near.destroyed, said.slice(0, 20))
    t.deepEqual(session.list, [])
  }
})

test('a session without a line to give, and a socket where nobody answers', async t => {
  const path = join(folder, 'none.sock')
  const close = await serveControl(path, control())
  t.teardown(close)
  await t.throwsAsync(openNeighbour(path, LIMIT_MS))
  const silent = join(folder, 'silent.sock')
  const server = createServer(() => {}).listen(silent)
  t.teardown(() => server.close())
  await t.throwsAsync(openNeighbour(silent, 50), { message: 'no answer' })
  await t.throwsAsync(openNeighbour(join(folder, 'missing.sock'), 50))
})

test('the first one comes first, whoever was heard first', async t => {
  const session = new Neighbours()
  t.teardown(() => session.close())
  const facts = (pid: number, since: number): Partial<Facts> => ({ pid, since, leads: pid === 7 })
  for (const each of [facts(9, 5), facts(7, 3), facts(8, 3)]) {
    const [near, far] = duplexPair()
    session.accept(near)
    far.write(`${JSON.stringify({ facts: each })}\n`)
  }
  t.true(await session.until(() => session.list.length === 3, LIMIT_MS))
  t.deepEqual(
    session.list.map(({ pid }) => pid),
    [7, 8, 9]
  )
  t.is(session.leader?.pid, 7)
})
