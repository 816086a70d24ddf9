// The far side for the tests against the kernel: a stack in a namespace that behaves by port number.
import { createHash } from 'node:crypto'
import type { Connection } from '../../lib/stack/connection.ts'
import { Stack } from '../../lib/stack/stack.ts'
import type { Device } from '../../lib/tun/device.ts'
import { openTun, type TunOptions } from '../../lib/tun/linux.ts'
import { CLUSTER, configure } from '../_support/laptop.ts'
import { serveCalls } from '../_support/netns.ts'
import { PORT } from './_ports.ts'

let device: Device | undefined
let stack: Stack | undefined
let lostReason = ''
/** What became of connections that were not to end well, and held ones. */
const endings: string[] = []
const held: Connection[] = []
let answerSlowly: (() => void)[] = []

function serve(connection: Connection, port: number): void {
  connection.on('error', (error: NodeJS.ErrnoException) => endings.push(error.code ?? error.message))
  if (port === PORT.echo || port === PORT.slow) connection.pipe(connection)
  else if (port === PORT.unread) held.push(connection)
  else if (port === PORT.resets) connection.once('data', () => connection.destroy())
  else if (port === PORT.resetByClient) connection.resume()
  else if (port === PORT.answersAtEnd) {
    // Answers after the client's FIN only: needs the half-closed connection.
    const hash = createHash('sha256')
    connection.on('data', (bytes: Buffer) => hash.update(bytes))
    connection.on('end', () => connection.end(hash.digest('hex')))
  } else if (port === PORT.endsFirst) {
    // Closes its side at once, then reads on.
    connection.end('goodbye')
    const hash = createHash('sha256')
    connection.on('data', (bytes: Buffer) => hash.update(bytes))
    connection.on('end', () => endings.push(hash.digest('hex')))
  }
}

serveCalls({
  async start(options: TunOptions): Promise<{ name: string; mtu: number; offload: boolean }> {
    device = await openTun(options)
    configure(device)
    stack = new Stack({
      device,
      onConnection(pending) {
        const { destinationPort: port } = pending
        if (port === PORT.refused) pending.refuse()
        else if (port === PORT.unreachable) pending.unreachable()
        else if (port === PORT.silent) pending.drop()
        else if (port === PORT.slow) answerSlowly.push(() => serve(pending.accept(), port))
        else serve(pending.accept(), port)
      },
      onFlow(flow) {
        if (flow.destinationPort === PORT.unreachable) {
          flow.unreachable()
          flow.close()
        } else flow.onDatagram = bytes => flow.send(bytes)
      },
      onEcho(echo) {
        if (echo.destination === CLUSTER[4] || echo.destination === CLUSTER[6]) echo.reply()
      }
    })
    void stack.lost.then(error => {
      lostReason = error.message
    })
    stack.start()
    return { name: device.name, mtu: device.mtu, offload: device.offload }
  },
  pending: () => answerSlowly.length,
  answer(): void {
    for (const answer of answerSlowly) answer()
    answerSlowly = []
  },
  status: () => ({
    stats: stack?.stats,
    size: stack?.size,
    lost: lostReason,
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
    unread: held.length
  }),
  endings: () => endings.splice(0),
  release(): void {
    for (const connection of held.splice(0)) connection.destroy()
  },
  async close(): Promise<void> {
    await stack?.close()
    await device?.close()
  }
})
