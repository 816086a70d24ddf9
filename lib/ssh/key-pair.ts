// Ed25519 keys as OpenSSH writes them (PROTOCOL.key). Not by ssh2: one of 250 that it makes is malformed, because it loses zeros in front.
import { generateKeyPairSync, randomBytes } from 'node:crypto'

const TYPE = 'ssh-ed25519'
/** What OpenSSH pads to without a cipher, bytes. */
const BLOCK_BYTES = 8
const LINE_CHARS = 70
/** RFC 8410: with which the DER of a public key (§4) and of a private one (§7) ends. */
const KEY_BYTES = 32

export interface SshKeyPair {
  /** PEM, without a passphrase. */
  private: string
  /** `ssh-ed25519 AAAA…`. */
  public: string
}

/** A new pair. */
export function sshKeyPair(): SshKeyPair {
  // Encoded as they are made: Node 20 waits for itself, for ever, when it collects garbage while it exports one that it has just made as JWK.
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' }
  })
  const [point, seed] = [publicKey.subarray(-KEY_BYTES), privateKey.subarray(-KEY_BYTES)]
  const blob = Buffer.concat([string(TYPE), string(point)])
  const check = randomBytes(4) // twice the same: the passphrase was right
  const secret = Buffer.concat([check, check, blob, string(Buffer.concat([seed, point])), string('')])
  const padding = Buffer.from(Array.from({ length: -secret.length & (BLOCK_BYTES - 1) }, (_, i) => i + 1))
  const key = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[string('none'), string('none'), string('')], // cipher, key derivation and its options
    Buffer.from([0, 0, 0, 1]),
    string(blob),
    string(Buffer.concat([secret, padding]))
  ])
  const lines = key.toString('base64').match(new RegExp(`.{1,${LINE_CHARS}}`, 'g')) ?? []
  return {
    private: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
    public: `${TYPE} ${blob.toString('base64')}`
  }
}

/** RFC 4251 §5. */
function string(bytes: Uint8Array | string): Buffer {
  const body = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}
