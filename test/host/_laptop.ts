// A laptop for one test: a network namespace with a worker, gone afterwards.
import type { ExecutionContext } from 'ava'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'

export const WORKER = new URL('./_worker.ts', import.meta.url)

/** Undefined, with the reason in the log, where there can be none. */
export function laptop(t: ExecutionContext): { namespace: Namespace; worker: Worker } | undefined {
  const reason = whyNoNamespace()
  if (reason !== undefined) {
    t.log(`skipped: ${reason}`)
    t.pass()
    return undefined
  }
  const namespace = new Namespace()
  t.teardown(() => namespace.remove())
  return { namespace, worker: namespace.fork(WORKER) }
}

/** Shell lines that give the worker an /etc of its own, without resolv.conf. */
export const OWN_ETC = `
mount -t tmpfs tmpfs /mnt; for each in passwd group hosts nsswitch.conf; do cp /etc/$each /mnt/ || true; done
mount --move /mnt /etc
`
