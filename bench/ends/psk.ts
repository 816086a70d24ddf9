// TLS without certificates, for measurements on one computer: a shared key, and the cipher that kt's carrier gets.
const KEY = Buffer.alloc(16, 'kt bench')
export const IDENTITY = 'bench'

/** A pre-shared key works up to TLS 1.2 in Node; records are encrypted as in TLS 1.3. */
export const PSK_OPTIONS = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const

/** The key of our only client; null for anybody else. */
export function pskIdentity(identity: string): Buffer | null {
  return identity === IDENTITY ? KEY : null
}

/** What the client answers. */
export function pskAnswer(): { psk: Buffer; identity: string } {
  return { psk: KEY, identity: IDENTITY }
}
