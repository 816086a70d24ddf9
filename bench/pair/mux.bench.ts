// The mux alone: two sessions in one process, and in two processes over loopback TCP against the bare socket.
// node bench/pair/mux.bench.ts [--mib 1024]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MuxSession } from '../../lib/mux/session.ts'
import type { MuxStream } from '../../lib/mux/stream.ts'

const CHUNK_BYTES = 65_536
const SOCKET_BYTES = 262_144
const ECHOES = 300

interface Figure {
  bytes: number
  ms: number
  cpuSeconds: number
}

const index = process.argv.indexOf('--mib')
const total = (index < 0 ? 1_024 : Number(process.argv[index + 1])) * 2 ** 20

if (process.send === undefined) await main()
else await far()

async function main(): Promise<void> {
  print('in memory, one stream, both sides in one process', await inMemory(1, CHUNK_BYTES))
  print('in memory, 64 streams', await inMemory(64, CHUNK_BYTES))
  print('in memory, one stream, 1 KiB writes', await inMemory(1, 1_024, total / 8))
  const child = fork(fileURLToPath(import.meta.url), [], { serialization: 'json' })
  const [ports] = (await once(child, 'message')) as [{ bare: number; mux: number }]
  const ask = async (): Promise<number> => {
    child.send('cpu')
    const [cpu] = (await once(child, 'message')) as [number]
    return cpu
  }
  for (const kind of ['bare', 'mux'] as const) {
    for (const direction of ['up', 'down'] as const) {
      const before = await ask()
      const figure = await transfer(ports[kind], kind, direction)
      const peer = ((await ask()) - before) / (figure.bytes / 2 ** 30)
      print(`loopback TCP, ${kind}, ${direction} (peer ${peer.toFixed(2)} CPU s/GiB)`, figure)
    }
  }
  await echoes(ports.mux)
  child.kill()
}

function print(what: string, { bytes, ms, cpuSeconds }: Figure): void {
  const rate = (bytes / 1e6 / (ms / 1e3)).toFixed(0)
  process.stdout.write(`${what}: ${rate} MB/s, ${(cpuSeconds / (bytes / 2 ** 30)).toFixed(2)} CPU s/GiB\n`)
}

async function measured(bytes: number, run: () => Promise<void>): Promise<Figure> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(cpu)
  return { bytes, ms: performance.now() - began, cpuSeconds: (user + system) / 1e6 }
}

async function inMemory(streams: number, chunkBytes: number, bytes = total): Promise<Figure> {
  const [near, other] = duplexPair({ highWaterMark: SOCKET_BYTES })
  const agent = new MuxSession(other, { role: 'agent', onStream: answer })
  const client = new MuxSession(near, { role: 'client', onStream: stream => stream.reset('cancel') })
  const figure = await measured(bytes, async () => {
    await Promise.all(Array.from({ length: streams }, () => pour(client.open(request(0)), bytes / streams, chunkBytes)))
  })
  await client.close()
  await agent.closed
  return figure
}

/** The request says how many bytes are wanted; 0: take what comes and answer with its end. */
function request(bytes: number): Buffer {
  const encoded = Buffer.alloc(8)
  encoded.writeDoubleBE(bytes)
  return encoded
}

function answer(stream: MuxStream, wanted: Uint8Array): void {
  const bytes = Buffer.from(wanted).readDoubleBE()
  if (bytes === -1) {
    stream.pipe(stream)
    return
  }
  stream.resume()
  if (bytes === 0) stream.on('end', () => stream.end())
  else write(stream, bytes, CHUNK_BYTES)
}

function write(to: Duplex, bytes: number, chunkBytes: number): void {
  const chunk = Buffer.alloc(chunkBytes, 0x5a)
  let left = bytes
  const more = () => {
    while (left > 0) {
      left -= chunkBytes
      if (!to.write(chunk)) return
    }
    to.off('drain', more)
    to.end()
  }
  to.on('drain', more)
  more()
}

async function pour(to: Duplex, bytes: number, chunkBytes: number): Promise<void> {
  write(to, bytes, chunkBytes)
  to.resume()
  await once(to, 'end')
}

async function drink(from: Duplex): Promise<void> {
  from.resume()
  from.end()
  await once(from, 'end')
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

async function transfer(port: number, kind: 'bare' | 'mux', direction: 'up' | 'down'): Promise<Figure> {
  const socket = await dial(port)
  if (kind === 'bare') {
    socket.write(request(direction === 'up' ? 0 : total))
    return await measured(total, () => (direction === 'up' ? pour(socket, total, CHUNK_BYTES) : drink(socket)))
  }
  const session = new MuxSession(socket, { role: 'client', onStream: stream => stream.reset('cancel') })
  const figure = await measured(total, () =>
    direction === 'up' ? pour(session.open(request(0)), total, CHUNK_BYTES) : drink(session.open(request(total)))
  )
  await session.close()
  return figure
}

async function echoes(port: number): Promise<void> {
  const session = new MuxSession(await dial(port), { role: 'client', onStream: stream => stream.reset('cancel') })
  const echo = session.open(request(-1))
  const idle = await echoTimes(echo)
  const up = session.open(request(0))
  write(up, 2 ** 40, CHUNK_BYTES)
  const duringUp = await echoTimes(echo)
  const upStats = session.stats
  up.destroy()
  const down = session.open(request(2 ** 40))
  down.resume()
  const duringDown = await echoTimes(echo)
  down.destroy()
  process.stdout.write(
    `echo of 64 bytes, p50 and p99 in ms: idle ${idle}, during an upload ${duringUp}, during a download ${duringDown}\n`
  )
  process.stdout.write(
    `during the upload: ${(upStats.rate / 1e6).toFixed(0)} MB/s, bound ${(upStats.boundBytes / 1024).toFixed(0)} KiB\n`
  )
  await session.close()
}

async function echoTimes(stream: Duplex): Promise<string> {
  const times: number[] = []
  for (let i = 0; i < ECHOES; i++) {
    const began = performance.now()
    stream.write(Buffer.alloc(64))
    await once(stream, 'data')
    times.push(performance.now() - began)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  times.sort((a, b) => a - b)
  return `${times[ECHOES >> 1]!.toFixed(2)}/${times[Math.floor(ECHOES * 0.99)]!.toFixed(2)}`
}

async function far(): Promise<void> {
  const bare = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: SOCKET_BYTES }, socket => {
    socket.on('error', () => {})
    socket.once('data', (first: Buffer) => {
      const bytes = first.readDoubleBE()
      socket.resume()
      if (bytes === 0) socket.on('end', () => socket.end())
      else write(socket, bytes, CHUNK_BYTES)
    })
  }).listen(0, '127.0.0.1')
  const mux = createServer({ noDelay: true, highWaterMark: SOCKET_BYTES }, socket => {
    new MuxSession(socket, { role: 'agent', onStream: answer })
  }).listen(0, '127.0.0.1')
  await Promise.all([once(bare, 'listening'), once(mux, 'listening')])
  const portOf = (server: typeof bare) => (server.address() as { port: number }).port
  process.send?.({ bare: portOf(bare), mux: portOf(mux) })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.((user + system) / 1e6)
  })
}
