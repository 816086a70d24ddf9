// known_hosts as sshd(8) describes it: which keys a host may show. Pure.
import { createHmac } from 'node:crypto'

export interface KnownKey {
  /** `ssh-ed25519`. */
  type: string
  /** As in the key exchange: the type is in it, too. */
  blob: Buffer
  /** Must never be accepted. */
  revoked: boolean
}

/** The name under which a host stands there: alone at port 22, else `[host]:port`. */
export function knownName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
}

/** The keys of `name` in the text of a file; lines that are no keys, and certificates, count for nothing. */
export function knownKeys(text: string, name: string): KnownKey[] {
  return text.split('\n').flatMap(line => {
    const fields = line.trim().split(/\s+/)
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined
    const [hosts = '', type = '', key = ''] = fields
    if (hosts.startsWith('#') || key === '' || (marker !== undefined && marker !== '@revoked')) return []
    if (!isNamed(hosts, name)) return []
    return [{ type, blob: Buffer.from(key, 'base64'), revoked: marker === '@revoked' }]
  })
}

/** The type of a key, which is the first field of its blob (RFC 4253 §6.6); empty when that is no key. */
export function typeOfKey(blob: Buffer): string {
  return blob.length < 4 ? '' : blob.toString('latin1', 4, 4 + blob.readUInt32BE(0))
}

/** `a,*.b,!c.b`, or one hashed name: `|1|salt|hash`. */
function isNamed(hosts: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts) ?? []
  if (salt !== undefined && hash !== undefined) {
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
  }
  const patterns = hosts.toLowerCase().split(',')
  return (
    patterns.some(pattern => !pattern.startsWith('!') && matches(pattern, name)) &&
    !patterns.some(pattern => pattern.startsWith('!') && matches(pattern.slice(1), name))
  )
}

/** `*` and `?` as in ssh_config(5), PATTERNS. Without a regular expression, which some patterns would keep busy for long. */
function matches(pattern: string, name: string): boolean {
  // Places of the pattern that may come next, for each character of the name.
  let at = new Set([0])
  const skipStars = (places: Set<number>): Set<number> => {
    for (const place of places) if (pattern[place] === '*') places.add(place + 1)
    return places
  }
  for (const char of name) {
    const next = new Set<number>()
    for (const place of skipStars(at)) {
      if (pattern[place] === '*') next.add(place)
      else if (pattern[place] === '?' || pattern[place] === char) next.add(place + 1)
    }
    at = next
  }
  return skipStars(at).has(pattern.length)
}
