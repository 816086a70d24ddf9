// A shadow of one's own and the line to its agent: two steps of every command that stays.
import { generateKeyPairSync } from 'node:crypto'
import type { Cluster } from '../../kube/api/client.ts'
import { SshCarriers } from '../../kube/carrier/carrier-ssh.ts'
import { sshKeyPair } from '../../ssh/key-pair.ts'
import { type Running, step } from '../run.ts'
import type { Parts } from '../status.ts'
import { AgentLink, type LinkOptions } from './link.ts'
import { ShadowKeeper, type ShadowKeeperOptions } from './shadow-keeper.ts'

/** The image of a shadow pod when none is named. */
export const DEFAULT_IMAGE = 'node:24-alpine'

export type AgentOptions = Pick<ShadowKeeperOptions, 'image' | 'exposure' | 'ssh' | 'onShadow'> &
  Pick<LinkOptions, 'onStream'>

export interface LinkedAgent extends Pick<LinkOptions, 'privateKey' | 'open'> {
  keeper: LinkOptions['keeper'] & NonNullable<Parts['keeper']>
  onStream: LinkOptions['onStream'] | undefined
}

/** Make the shadow and connect to it, with a key pair for this session alone. Both are undone with `life`, and noted in `parts`. */
export async function reachAgent(
  running: Running,
  cluster: Cluster,
  parts: Parts,
  { onStream, ...shadow }: AgentOptions
): Promise<AgentLink> {
  const { report, stop, life } = running
  const { publicKey, privateKey } = sessionKeys()
  const own = cluster.carrier === 'ssh' ? sshKeyPair() : undefined
  const door = own === undefined ? {} : { ssh: { authorizedKeys: own.public, shell: false } }
  const keeper = new ShadowKeeper(cluster, { ...door, ...shadow, publicKey, report })
  life.onStop('Shadow pod removed', () => keeper.remove())
  await step({ report, stop }, 'Shadow pod is ready', () => keeper.pod(stop.signal))
  const open = own === undefined ? undefined : insideSsh(cluster, keeper, own.private)
  return await linkAgent(running, cluster, parts, { keeper, privateKey, onStream, open })
}

function insideSsh(cluster: Cluster, keeper: ShadowKeeper, privateKey: string): NonNullable<LinkOptions['open']> {
  // Whoever it is now: a new pod can be trusted again.
  const carriers = new SshCarriers({ cluster, privateKey, onOtherKey: () => keeper.lost() })
  return (pod, signal) => carriers.open({ pod, sshPort: keeper.sshPort, agentPort: keeper.port, signal })
}

/** A key pair for one session, as PEM: the private one never leaves this process. */
export function sessionKeys(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
  })
}

/** Connect to an agent that runs, and stay connected until `life` ends. */
export async function linkAgent(
  { report, stop, life }: Running,
  cluster: Cluster,
  parts: Parts,
  { keeper, privateKey, onStream, open }: LinkedAgent
): Promise<AgentLink> {
  const pod = await keeper.pod(stop.signal)
  const link = new AgentLink({
    cluster,
    privateKey,
    keeper,
    onState: (state, detail) => report({ event: 'state', state, detail }),
    onWayChanged: () => cluster.api.wayChanged(),
    ...(onStream === undefined ? {} : { onStream }),
    ...(open === undefined ? {} : { open })
  })
  life.onStop('Port forward closed', () => link.close())
  await step({ report, stop }, `Port forward to pod ${pod} established`, () => link.connect())
  parts.keeper = keeper
  parts.link = link
  return link
}
