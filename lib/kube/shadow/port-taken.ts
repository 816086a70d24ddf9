// Does a program of the pod listen at a port? Asked through the port-forward, before something is put there that cannot be taken away.
import { once } from 'node:events'
import { KtError } from '../../errors.ts'
import type { Cluster } from '../api/client.ts'
import { openCarrier } from '../carrier/carrier.ts'

/** A refusal comes back within a round trip or two, ms; who has not refused by then listens, and waits for us to speak. */
const REFUSAL_MS = 1_500

/** Throws KtError when the cluster does not let us ask. A program that listens at the pod's address only is not seen. */
export async function portTaken(cluster: Cluster, pod: string, port: number, signal: AbortSignal): Promise<boolean> {
  const carrier = await openCarrier(cluster, { pod, port, signal })
  const over = new AbortController()
  const limit = AbortSignal.any([signal, AbortSignal.timeout(REFUSAL_MS), over.signal])
  const refused = once(carrier, 'error', { signal: limit }).then(
    ([error]) => error instanceof KtError && error.code === 'KT_CARRIER_REFUSED',
    (error: unknown) => error instanceof KtError && error.code === 'KT_CARRIER_REFUSED'
  )
  // Its first words, or its goodbye, are those of a program.
  const spoken = Promise.any([once(carrier, 'data', { signal: limit }), once(carrier, 'end', { signal: limit })])
  try {
    return !(await Promise.race([
      refused,
      spoken.then(
        () => false,
        () => new Promise<boolean>(() => {})
      )
    ]))
  } finally {
    over.abort()
    carrier.on('error', () => {}).destroy()
    signal.throwIfAborted()
  }
}
