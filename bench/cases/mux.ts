// The mux: two sessions in one process, and in two processes over TLS, beside the bare TLS socket.
import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { connect } from 'node:tls'
import { MuxSession } from '../../lib/mux/session.ts'
import { ask, endEnd, startEnd } from '../ends/end.ts'
import { PSK_OPTIONS, pskAnswer } from '../ends/psk.ts'
import type { Case, Context } from '../harness/case.ts'
import { startCpuClock } from '../harness/cpu.ts'
import { type Row, row } from '../harness/rows.ts'
import { type Spread, spread, unpaired } from '../harness/statistics.ts'
import { PayloadReader, sendPayload } from '../traffic/payload.ts'
import { serve } from '../traffic/serve.ts'
import type { Direction } from '../traffic/transfer.ts'

const GIB = 2 ** 30
const MIB = 2 ** 20
const BYTES = 512 * MIB
const QUICK_BYTES = 32 * MIB
/** What a socket takes before it pushes back. */
const SOCKET_BYTES = 256 * 1024
const NO_REQUEST = new Uint8Array(0)

/** Streams to the traffic server's conversation. */
type Open = () => Duplex

/** What becomes a row. */
interface Figure {
  where: { case: string; what: string; unit: string }
  of: Spread
}

export const mux: Case = {
  name: 'mux',
  title: 'many streams over one: in memory, and over TLS between two processes',
  run: async context => {
    const rows = await inMemory(context)
    const end = await startEnd(undefined, 'mux-end')
    try {
      const [bare, muxed] = await ask<[number, number]>(end, {})
      rows.push(...(await overTls(context, end.pid!, bare, muxed)))
    } finally {
      await endEnd(end)
    }
    return rows
  }
}

async function inMemory(context: Context): Promise<Row[]> {
  const [near, far] = duplexPair({ highWaterMark: SOCKET_BYTES })
  const agent = new MuxSession(far, { role: 'agent', onStream: serve })
  const client = new MuxSession(near, { role: 'client', onStream: stream => stream.reset('cancel') })
  const rows: Row[] = []
  for (const streams of [1, 64]) {
    const name = `in memory, both ends in one process, ${streams} ${streams === 1 ? 'stream' : 'streams'}`
    const measured = await measure(context, name, 'up', streams, () => client.open(NO_REQUEST))
    rows.push(...measured.map(({ where, of }) => row(where, of)))
  }
  await client.close()
  await agent.closed
  return rows
}

async function overTls(context: Context, endPid: number, bare: number, muxed: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const direction of ['down', 'up'] as const) {
    const open = await dial(bare)
    const plain = await measure(context, `over TLS, ${direction}, bare socket`, direction, 1, () => open, endPid, 1)
    open.destroy()
    rows.push(...plain.map(({ where, of }) => row(where, of)))
    const carrier = await dial(muxed)
    const session = new MuxSession(carrier, { role: 'client', onStream: stream => stream.reset('cancel') })
    for (const streams of [1, 64]) {
      const name = `over TLS, ${direction}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`
      const measured = await measure(context, name, direction, streams, () => session.open(NO_REQUEST), endPid)
      rows.push(...measured.map(({ where, of }, index) => row(where, of, { against: unpaired(of, plain[index]!.of) })))
    }
    await session.close()
  }
  return rows
}

async function dial(port: number): Promise<Duplex> {
  const socket = connect({
    ...PSK_OPTIONS,
    port,
    host: '127.0.0.1',
    pskCallback: pskAnswer,
    checkServerIdentity: () => undefined
  })
  socket.setNoDelay(true)
  await once(socket, 'secureConnect')
  return socket
}

/** `mostRounds`: the bare socket serves one conversation only. */
async function measure(
  context: Context,
  name: string,
  direction: Direction,
  streams: number,
  open: Open,
  endPid?: number,
  mostRounds = context.rounds
): Promise<Figure[]> {
  const rates: number[] = []
  const cpus: number[] = []
  const bytes = context.quick ? QUICK_BYTES : BYTES
  for (let round = 1; round <= Math.min(context.rounds, mostRounds); round++) {
    context.progress(`mux: ${name}, round ${round}`)
    const cpu = startCpuClock({ both: ({ pid }) => pid === process.pid || pid === endPid })
    const began = performance.now()
    await Promise.all(Array.from({ length: streams }, () => move(open(), direction, Math.floor(bytes / streams))))
    rates.push(bytes / 1000 / (performance.now() - began))
    cpus.push((cpu().both! / bytes) * GIB)
  }
  return [
    { where: { case: 'mux', what: name, unit: 'MB/s' }, of: spread(rates) },
    { where: { case: 'mux', what: `CPU of both ends, ${name}`, unit: 's/GiB' }, of: spread(cpus) }
  ]
}

/** One conversation with the traffic server; rejects when bytes are missing. */
async function move(stream: Duplex, direction: Direction, bytes: number): Promise<void> {
  const reader = new PayloadReader(direction === 'up' ? 0 : bytes, false)
  const finished = new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Uint8Array) => {
      reader.take(chunk)
      if (reader.line !== undefined) resolve()
    })
    stream.on('error', reject)
    stream.on('close', () => reject(new Error(`closed after ${reader.received} of ${bytes} bytes`)))
  })
  finished.catch(() => {}) // awaited below, also when sending fails first
  stream.write(`${direction} ${bytes}\n`)
  if (direction === 'up') await sendPayload(stream, bytes, false)
  await finished
  stream.end()
}
