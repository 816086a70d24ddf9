// What node-echo sends for /random?mb=N&seed=S (test/cluster/images/random.mjs), to be known without asking it.
import { createCipheriv, createHash } from 'node:crypto'

const MEBIBYTE = 2 ** 20

/** The same bytes for the same seed: the key stream of AES-128-CTR under the MD5 of the seed. */
export function knownBytes(mebibytes: number, seed: string): Buffer {
  const key = createHash('md5').update(seed).digest()
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(mebibytes * MEBIBYTE))
}

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
