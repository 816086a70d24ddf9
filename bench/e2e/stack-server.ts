// The side of the bench that is measured: TUN and stack, sinks on ports 9 and 10 and a source on port 19, nothing behind them.
import { PerformanceObserver } from 'node:perf_hooks'
import { Stack } from '../../lib/stack/stack.ts'
import { openTun } from '../../lib/tun/linux.ts'
import { configure } from '../../test/_support/laptop.ts'
import { serveCalls } from '../../test/_support/netns.ts'

/** A reader that gives back what it has read, as the tunnel does. */
const RECYCLING_SINK = 9
/** A reader that leaves this to the garbage collector. */
const SINK = 10
/** What a tunnel would hand over: chunks of a frame. */
const CHUNK = Buffer.alloc(64 * 1024, 'kt')

let stack: Stack | undefined
let bytes = 0
let collections = { count: 0, ms: 0 }
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    collections = { count: collections.count + 1, ms: collections.ms + entry.duration }
}).observe({ entryTypes: ['gc'] })

serveCalls({
  async start(offload: boolean): Promise<void> {
    const device = await openTun({ name: 'bench0', offload })
    configure(device)
    stack = new Stack({
      device,
      onConnection(pending) {
        const connection = pending.accept()
        connection.on('error', () => {}) // the client cuts the source off with an RST
        if (pending.destinationPort === SINK || pending.destinationPort === RECYCLING_SINK) {
          connection.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            if (pending.destinationPort === RECYCLING_SINK) connection.recycle(chunk)
          })
          connection.on('end', () => connection.end())
          return
        }
        const send = (): void => {
          do bytes += CHUNK.length
          while (connection.write(CHUNK))
        }
        connection.on('drain', send)
        send()
      },
      onFlow(flow) {
        flow.onDatagram = datagram => flow.send(datagram)
      },
      onEcho: echo => echo.reply()
    })
    stack.start()
  },
  /** Everything since the last call. */
  measure() {
    const cpu = process.cpuUsage()
    const result = {
      bytes,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      collections: collections.count,
      collectionMs: collections.ms,
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
      stats: stack?.stats
    }
    return result
  }
})
