// A carrier inside an ssh connection with the agent's pod, which goes by the port-forward: the API server, the kubelet and what is between
// them carry what they cannot read.
import type { Duplex } from 'node:stream'
import type { CipherAlgorithm, Client } from 'ssh2'
import { KtError } from '../../errors.ts'
import { ChannelStream } from '../../ssh/channel-stream.ts'
import type { Cluster } from '../api/client.ts'
import { openCarrier } from './carrier.ts'

/** What processors do by themselves. */
const CIPHERS: CipherAlgorithm[] = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com']

/** One ssh connection with one channel, which ends with it. */
class SshCarrier extends ChannelStream {
  /** The address of this computer that it uses. */
  readonly localAddress: string | undefined

  constructor(...[channel, below]: ConstructorParameters<typeof ChannelStream>) {
    super(channel, below)
    this.localAddress = 'localAddress' in below ? (below.localAddress as string | undefined) : undefined
  }
}

export interface SshCarriersOptions {
  cluster: Cluster
  /** Of OpenSSH's format, for the key that the pod's door knows; it never leaves this process. */
  privateKey: string
  /** A pod shows another host key than before: its agent was started again, or somebody stands between. Nothing is said to it. */
  onOtherKey(pod: string): Promise<void>
}

export class SshCarriers {
  readonly #options: SshCarriersOptions
  /** Pod → the host key that it has shown first: from then on nobody else can be it. */
  readonly #hostKeys = new Map<string, Buffer>()

  constructor(options: SshCarriersOptions) {
    this.#options = options
  }

  /** To `agentPort` of the loopback of the pod, whose ssh door is at `sshPort`. Rejects with KtError. */
  async open(at: { pod: string; sshPort: number; agentPort: number; signal: AbortSignal }): Promise<Duplex> {
    const { pod, sshPort, agentPort, signal } = at
    const { Client } = (await import('ssh2')).default
    // ssh keeps pieces of what it gets until the exchange of keys is over.
    const below = await openCarrier(this.#options.cluster, { pod, port: sshPort, signal, ownMemory: true })
    const client = new Client()
    const onAbort = (): void => void below.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#login(client, below, pod)
      const carrier = await channel(client, below, agentPort)
      carrier.once('close', () => {
        client.end()
        below.destroy()
      })
      return carrier
    } catch (cause) {
      below.destroy()
      if (cause instanceof KtError) throw cause
      throw (
        below.errored ??
        new KtError('KT_CARRIER_LOST', `no ssh with pod ${pod}: ${(cause as Error).message}`, { cause })
      )
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #login(client: Client, below: Duplex, pod: string): Promise<void> {
    return new Promise((resolve, reject) => {
      let other = false
      client.on('ready', resolve)
      // A later one is seen by its channel.
      client.on('error', error => {
        if (!other) return reject(error)
        return void this.#options.onOtherKey(pod).finally(() => reject(impostor(pod)))
      })
      client.once('close', () => reject(new Error('it was closed')))
      below.once('close', () => reject(new Error('it was lost')))
      client.connect({
        sock: below,
        username: 'kt',
        privateKey: this.#options.privateKey,
        readyTimeout: 0, // the caller's signal ends it
        algorithms: { cipher: CIPHERS },
        hostVerifier: (key: Buffer) => {
          const known = this.#hostKeys.get(pod) ?? key
          other = !known.equals(key)
          if (!other) this.#hostKeys.set(pod, Buffer.from(key))
          return !other
        }
      })
    })
  }
}

function channel(client: Client, below: Duplex, port: number): Promise<SshCarrier> {
  return new Promise((resolve, reject) => {
    below.once('close', () => reject(new Error('it was lost')))
    client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, opened) => {
      if (error === undefined) resolve(new SshCarrier(opened, below))
      else reject(error)
    })
  })
}

function impostor(pod: string): KtError {
  return new KtError('KT_AGENT', `what answers as pod ${pod} has not the ssh host key that it had`)
}
