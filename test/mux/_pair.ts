// Two sessions over one carrier.
import type { Duplex } from 'node:stream'
import { MuxSession } from '../../lib/mux/session.ts'
import type { MuxStream } from '../../lib/mux/stream.ts'
import { plainPair } from '../_support/carriers.ts'

export interface Sessions {
  client: MuxSession
  agent: MuxSession
  close(): Promise<void>
}

/** `onStream` is the agent's. */
export function sessions(
  onStream: (stream: MuxStream, request: Uint8Array) => void,
  [near, far]: [Duplex, Duplex] = plainPair()
): Sessions {
  const agent = new MuxSession(far, { role: 'agent', onStream })
  const client = new MuxSession(near, { role: 'client', onStream: stream => stream.reset('cancel') })
  return {
    client,
    agent,
    async close() {
      await client.close()
      await agent.closed
    }
  }
}
