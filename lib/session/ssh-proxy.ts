// `kt ssh-proxy`, put together: what OpenSSH runs as its ProxyCommand. A shadow with an ssh door, and the way to that over the tunnel, so
// that an ssh connection outlives its port-forward as any other does.
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { KtError } from '../errors.ts'
import type { Right } from '../kube/api/api-error.ts'
import { rightsOf } from '../kube/api/rights.ts'
import { makeKnown, ownPublicKey } from '../ssh/own-files.ts'
import { SSH_PORT } from '../tunnel/request.ts'
import { type ClusterOptions, openCluster } from './link/open-cluster.ts'
import { reachAgent } from './link/reach-agent.ts'
import type { Report } from './report.ts'
import { type Running, runSession } from './run.ts'
import type { Parts } from './status.ts'

export interface SshProxyOptions extends ClusterOptions {
  image: string
  /** The name under which OpenSSH looks for the host key. */
  alias: string
  /** The door also runs commands. */
  shell: boolean
}

/** As `kt status` and `kt rbac` name it. */
const NAME = 'ssh-config'

/** Carry what ssh writes to `input` and reads from `output` until either side ends or `stop` is aborted, then undo. Rejects with the error that ended it. */
export async function sshProxy(
  options: SshProxyOptions,
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
  report: Report,
  stop: AbortController
): Promise<void> {
  await runSession(report, stop, async running => {
    const line = await start(running, options)
    void pipeline(input, line, output)
      .catch((error: NodeJS.ErrnoException) => {
        // An ssh that was killed reads no more.
        if (!stop.signal.aborted && error.code !== 'EPIPE') report({ event: 'warning', text: `ssh: ${error.message}` })
      })
      .finally(() => stop.abort('ssh has ended'))
    return { lost: NEVER }
  })
}

/** It ends by `stop`. */
const NEVER = new Promise<Error>(() => {})

async function start(running: Running, options: SshProxyOptions): Promise<Duplex> {
  const { stop, life } = running
  const { image, alias, shell } = options
  const parts: Parts = { forwarded: [] }
  const authorizedKeys = await ownPublicKey()
  const rights = (namespace: string): Right[] => rightsOf(NAME, namespace)
  const cluster = await openCluster(running, options, { name: NAME, rights }, parts)
  const link = await reachAgent(running, cluster, parts, { image, ssh: { authorizedKeys, shell } })
  const { sshHostKey } = await link.facts()
  life.onStop('', await makeKnown(alias, sshHostKey))
  if (link.tunnel === undefined) throw new KtError('KT_CARRIER_LOST', 'the connection to the agent was lost')
  return await link.tunnel.dial('127.0.0.1', SSH_PORT, { signal: stop.signal })
}
