// Who may see the dashboard and use it: names of this computer only, one browser per link, nothing on behalf of another page.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A link that nobody has opened by then is void, ms. */
const LINK_MS = 5 * 60_000
/** Links that wait to be opened, and browsers that have opened one; the oldest goes. */
const LINKS_MAX = 16
const BROWSERS_MAX = 32

/** Sent with every answer. Scripts and styles are files of the page; nothing is embedded, framed or sent elsewhere. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store'
}

/** What of a request counts. Header names are lower case. */
export interface Asked {
  method: string
  headers: Readonly<Record<string, string | string[] | undefined>>
}

export class Guard {
  readonly #hosts: readonly string[]
  readonly #cookie: string
  readonly #links = new Map<string, number>()
  readonly #browsers = new Set<string>()
  /** For programs: `Authorization: Bearer`. */
  readonly bearer: string = secret()
  /** A page that cannot read our answers cannot know it. */
  readonly csrf: string = secret()

  /** `port`: where the dashboard listens. */
  constructor(port: number) {
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
    this.#cookie = `kt-${port}` // cookies know no ports
  }

  /** A token that opens the page once. */
  link(now: number = Date.now()): string {
    const token = secret()
    this.#links.set(digest(token), now + LINK_MS)
    trim(this.#links, LINKS_MAX)
    return token
  }

  /** The cookie for a browser that has come with a token, which is void from then on; undefined: it was none. */
  open(token: string, now: number = Date.now()): string | undefined {
    const key = digest(token)
    const until = this.#links.get(key)
    this.#links.delete(key)
    if (until === undefined || now > until) return undefined
    const browser = secret()
    this.#browsers.add(digest(browser))
    trim(this.#browsers, BROWSERS_MAX)
    return `${this.#cookie}=${browser}; Path=/; HttpOnly; SameSite=Strict`
  }

  /** Why not even a link may be opened: a foreign name for this address (DNS rebinding), or another page that asks. Undefined: it may. */
  stranger({ headers }: Asked): string | undefined {
    if (!this.#hosts.includes(text(headers.host))) return 'this is not the name of this dashboard'
    const { origin } = headers
    if (origin !== undefined && !this.#hosts.some(host => origin === `http://${host}`)) return 'another page asks'
    return undefined
  }

  /** Why it may not be answered; undefined: it may. `stranger` has been asked before. */
  forbids({ method, headers }: Asked): string | undefined {
    if (this.#isBearer(text(headers.authorization))) return undefined
    if (!this.#isBrowser(text(headers.cookie))) return 'this page needs the link that kt dashboard prints'
    if (!['same-origin', 'none', ''].includes(text(headers['sec-fetch-site']))) return 'another page asks'
    if (method === 'GET' || method === 'HEAD') return undefined
    if (headers.origin === undefined) return 'a browser says which page asks'
    return same(text(headers['x-kt-csrf']), this.csrf) ? undefined : 'x-kt-csrf is missing or wrong'
  }

  #isBearer(authorization: string): boolean {
    return authorization.startsWith('Bearer ') && same(authorization.slice('Bearer '.length), this.bearer)
  }

  #isBrowser(cookies: string): boolean {
    const found = cookies.split('; ').find(each => each.startsWith(`${this.#cookie}=`))
    return found !== undefined && this.#browsers.has(digest(found.slice(this.#cookie.length + 1)))
  }
}

/** 256 bits. */
const secret = (): string => randomBytes(32).toString('base64url')
/** What is compared by a table is compared by its digest: how long that takes tells nothing about the secret. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')
const same = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(digest(a)), Buffer.from(digest(b)))
const text = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '')

function trim(kept: Map<string, number> | Set<string>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(oldest)
  }
}
