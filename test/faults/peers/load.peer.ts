// What a user does at once through kt: a download, an upload, a connection with a line every 200 ms, five questions a second; and the local
// program of an exchanged service. Tells how it goes four times a second; when its input ends, what came of it.
// node load.peer.ts '{"host","local","mebibytes","mebibytesPerSecond","names":{NAME:ADDRESS}}'
import { createCipheriv, createHash } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection, LoadOptions, Outcome, Progress } from '../load.ts'

const LINE_MS = 200
const QUESTION_MS = 200
const TELL_MS = 250
const AGAIN_MS = 300
const CHUNK_BYTES = 65_536
/** What is still on the way when the load ends must come within this. */
const LAST_MS = 10_000
const SEED = '7'

const { host, local, mebibytes, mebibytesPerSecond, names } = JSON.parse(process.argv[2] ?? '{}') as LoadOptions
const began = performance.now()
const ending = new AbortController()
const total = mebibytes * 2 ** 20
const zeros = Buffer.alloc(2 ** 20)
const progress: Progress = {
  down: 0,
  up: 0,
  echoedAt: 0,
  namedAt: Object.fromEntries(Object.keys(names).map(n => [n, 0])),
  served: 0
}
const questions = { asked: 0, failed: 0, wrong: 0 }
const connections: Connection[] = []

function connection(name: string): Connection {
  const found: Connection = { name, bytes: 0, wrong: 0, broken: [], silent: false }
  connections.push(found)
  return found
}

/** Begin again after each failure, which is remembered, until the load ends. */
async function keep(state: Connection, use: (state: Connection) => Promise<void>): Promise<void> {
  while (!ending.signal.aborted) {
    try {
      await use(state)
      return
    } catch (error) {
      state.broken.push((error as NodeJS.ErrnoException).code ?? String(error))
      await delay(AGAIN_MS)
    }
  }
}

/** The known bytes of /random (test/cluster/images/random.mjs). */
function knownStream(): (length: number) => Buffer {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update(SEED).digest(), Buffer.alloc(16))
  return length => cipher.update(zeros.subarray(0, length))
}

function differences(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return 0
  return a.reduce((sum, byte, i) => sum + (byte === b[i] ? 0 : 1), 0)
}

/** Not faster than was asked for. */
async function pace(bytes: number): Promise<void> {
  const aheadMs = (bytes / (mebibytesPerSecond * 2 ** 20)) * 1000 - (performance.now() - began)
  if (aheadMs > 5) await delay(aheadMs)
}

async function download(state: Connection): Promise<void> {
  const url = `http://${host}/random?mb=${mebibytes}&seed=${SEED}`
  const asked = get(url, { agent: false }).on('error', () => {}) // told by the answer, or by `once`
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const expected = knownStream()
  for await (const chunk of response as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += zeros.length) {
      const part = chunk.subarray(at, at + zeros.length)
      state.wrong += differences(part, expected(part.length))
    }
    state.bytes += chunk.length
    progress.down = state.bytes
    if (ending.signal.aborted) break
    await pace(state.bytes)
  }
}

async function upload(state: Connection): Promise<void> {
  const asked = request(`http://${host}/upload`, { method: 'POST', agent: false }).on('error', () => {}) // told by `failed`
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>
  answered.catch(() => {}) // seen below
  const failed = once(asked, 'close').then(() => Promise.reject(asked.errored ?? new Error('closed')))
  failed.catch(() => {})
  const known = knownStream()
  const hash = createHash('sha256')
  let sent = 0
  while (sent < total && !ending.signal.aborted) {
    const chunk = Buffer.from(known(CHUNK_BYTES))
    hash.update(chunk)
    if (!asked.write(chunk)) await Promise.race([once(asked, 'drain'), failed])
    sent += chunk.length
    state.bytes += chunk.length
    progress.up = state.bytes
    await pace(state.bytes)
  }
  asked.end()
  const [response] = await answered
  const told = JSON.parse(Buffer.concat(await response.toArray()).toString()) as { bytes: number; sha256: string }
  if (told.bytes !== sent || told.sha256 !== hash.digest('hex')) state.wrong += Math.abs(told.bytes - sent) || sent
}

async function echo(state: Connection): Promise<void> {
  const socket = connect({ host, port: 7000, noDelay: true })
  const closed = once(socket, 'close')
  let [sent, received] = [0, 0]
  const timer = setInterval(() => socket.write(`line ${sent++}\n`), LINE_MS)
  const lines = createInterface({ input: socket })
  lines.on('error', () => {})
  lines.on('line', line => {
    if (line !== `line ${received++}`) state.wrong += line.length
    state.bytes += line.length
    progress.echoedAt = Date.now()
  })
  const finish = async (): Promise<void> => {
    clearInterval(timer)
    for (let waited = 0; received < sent && waited < LAST_MS; waited += LINE_MS) await delay(LINE_MS)
    state.silent = received < sent
    socket.end()
    setTimeout(() => socket.destroy(), LAST_MS).unref()
  }
  const onEnding = (): void => void finish()
  ending.signal.addEventListener('abort', onEnding, { once: true })
  try {
    await closed
    if (!ending.signal.aborted) throw new Error('closed')
  } finally {
    clearInterval(timer)
    ending.signal.removeEventListener('abort', onEnding)
  }
}

async function ask(name: string, address: string): Promise<void> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  questions.asked += 1
  try {
    const found = await resolver.resolve4(name)
    if (found.length !== 1 || found[0] !== address) questions.wrong += 1
    else progress.namedAt[name] = Date.now()
  } catch (error) {
    // "There is no such name" would be a lie; silence and SERVFAIL are failures.
    if ((error as NodeJS.ErrnoException).code === 'ENOTFOUND') questions.wrong += 1
    else questions.failed += 1
  }
}

async function askAll(): Promise<void> {
  const pairs = Object.entries(names)
  const open: Promise<void>[] = []
  for (let i = 0; !ending.signal.aborted; i++) {
    open.push(ask(...pairs[i % pairs.length]!))
    await delay(QUESTION_MS)
  }
  await Promise.all(open)
}

createServer((q, s) => {
  progress.served += 1
  s.end(`laptop ${q.url}\n`)
}).listen(local, '127.0.0.1', () => process.stdout.write('{}\n'))
setInterval(() => process.stdout.write(`${JSON.stringify(progress)}\n`), TELL_MS)
process.stdin.resume().once('end', () => ending.abort())
const asking = askAll()
const unfinished = new Set<Connection>()
const kept = [download, upload, echo].map(async use => {
  const state = connection(use.name)
  unfinished.add(state)
  await keep(state, use)
  unfinished.delete(state)
})
await once(ending.signal, 'abort')
// Where packets go nowhere any more, nothing ends by itself.
await Promise.race([Promise.all([...kept, asking]), delay(LAST_MS + LAST_MS / 2)])
for (const state of unfinished) state.silent = true
const outcome: Outcome = { connections, questions }
process.stdout.write(`${JSON.stringify({ outcome })}\n`, () => process.exit(0))
