// Does the agent listen yet? Asked through the port-forward itself, because the pod's status tells it 0.25 to 0.7 s later
// (measured: first byte after 0.76 s, "running" after 1.0 to 1.4 s): the kubelet looks at its containers once a second.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { KtError } from '../../errors.ts'
import type { Cluster } from '../api/client.ts'
import { openCarrier } from '../carrier/carrier.ts'

/** Between attempts: a start takes ten or so, 15 ms of work each. */
const PAUSE_MS = 50
/** An agent that listens speaks at once; a runtime that says nothing for so long is asked anew. */
const SILENCE_MS = 2_000

/**
 * Resolves with true when somebody at `port` of the pod speaks (the agent speaks first), with false when `signal` fires or
 * we may not ask. That a carrier stays open means nothing: the runtime dials late. Never rejects.
 */
export async function speaks(cluster: Cluster, pod: string, port: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    try {
      const carrier = await openCarrier(cluster, { pod, port, signal })
      carrier.on('error', () => {}) // refused: the usual answer
      const limit = AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)])
      const heard = once(carrier, 'data', { signal: limit }).then(() => true)
      const closed = once(carrier, 'close', { signal: limit }).then(() => false)
      const answer = await Promise.race([heard, closed].map(sign => sign.catch(() => false)))
      carrier.destroy()
      if (answer) return true
    } catch (error) {
      if (error instanceof KtError && (error.code === 'KT_FORBIDDEN' || error.code === 'KT_UNAUTHORIZED')) return false
    }
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => {})
  }
  return false
}
