// `--debug`: what the trace channels publish, one line an event.
import { carrierTrace, connectionTrace, dnsTrace, sessionTrace } from '../trace.ts'

/** Print every trace event to `out` from now on. */
export function debugTo(out: NodeJS.WritableStream): void {
  for (const channel of [carrierTrace, connectionTrace, dnsTrace, sessionTrace]) {
    channel.subscribe((event, name) => {
      out.write(`${new Date().toISOString().slice(11, 23)} ${String(name)} ${JSON.stringify(event)}\n`)
    })
  }
}
