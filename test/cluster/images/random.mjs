// Bytes that look random and are the same for the same seed: both ends can know their SHA-256.
import { createCipheriv, createHash } from 'node:crypto'

const CHUNK = 256 * 1024

/** Chunks of `mebibytes` MiB: the key stream of AES-128-CTR under a key made of the seed. */
export function* randomChunks(mebibytes, seed) {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update(`${seed}`).digest(), Buffer.alloc(16))
  const zeros = Buffer.alloc(CHUNK)
  for (let left = mebibytes * 2 ** 20; left > 0; left -= CHUNK)
    yield cipher.update(zeros.subarray(0, Math.min(left, CHUNK)))
}
