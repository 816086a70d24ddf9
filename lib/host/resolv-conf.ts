// The text of /etc/resolv.conf, resolv.conf(5): read, and written with our server in front. Pure.

/** glibc's MAXNS: further nameserver lines are ignored. */
const NAMESERVERS_MAX = 3
/** glibc before 2.26 ignores what goes beyond (resolv.conf(5), "search"). */
const SEARCH_MAX = 6
const SEARCH_CHARACTERS = 256

/** Begins the comment that shows whose the file is for now. */
const MARK = '# kt:'
/** Begins a line in which a nameserver waits that must not be asked meanwhile. */
const ASIDE = `${MARK} aside: `
const COMMENT = `${MARK} while kt is connected the cluster's names are answered here; kt puts this file back afterwards`

export interface ResolvConf {
  nameservers: string[]
  /** The search list; `domain x` is a list of one. The last line counts. Empty: none is given. */
  search: string[]
  options: string[]
}

/** Comments begin with `#` or `;` in the first column; unknown keywords are skipped. */
export function parseResolvConf(text: string): ResolvConf {
  const found: ResolvConf = { nameservers: [], search: [], options: [] }
  for (const line of text.split('\n')) {
    const [keyword, ...values] = words(line)
    if (keyword === 'nameserver' && values[0] !== undefined) found.nameservers.push(values[0])
    else if (keyword === 'search' || keyword === 'domain')
      found.search = keyword === 'domain' ? values.slice(0, 1) : values
    else if (keyword === 'options') found.options.push(...values)
  }
  return found
}

export interface Ours {
  /** Our resolver. */
  server: string
  /** Search domains of the cluster, the most special first. */
  search: readonly string[]
}

/**
 * `before` with our server and search domains in front of what was there; every other line stays as it is.
 * `alone`: no other nameserver is asked beside ours, for resolvers that ask all of them at once (musl) or in turn (`options rotate`);
 * those wait in comments.
 * `impliedSearch`: what glibc searches when the file names nothing, the domain of the host name.
 */
export function withOurs(before: string, { server, search }: Ours, { alone = false, impliedSearch = '' } = {}): string {
  const had = parseResolvConf(before)
  const searched = had.search.length > 0 ? had.search : [impliedSearch].filter(domain => domain !== '')
  const keepServers = alone || had.options.includes('rotate') ? 0 : NAMESERVERS_MAX - 1
  let servers = 0
  const rest = before.split('\n').flatMap(line => {
    const [keyword] = words(line)
    if (keyword === 'nameserver') return ++servers <= keepServers ? [line] : [`${ASIDE}${line}`]
    return keyword === 'search' || keyword === 'domain' ? [] : [line]
  })
  if (rest.at(-1) === '') rest.pop()
  return `${[COMMENT, `nameserver ${server}`, `search ${bounded([...search, ...searched]).join(' ')}`, ...rest].join('\n')}\n`
}

/** `text` without anything of ours: for a file that somebody has changed after us, or that an earlier kt has left. */
export function withoutOurs(text: string, { server, search }: Ours): string {
  const kept: string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...values] = words(line)
    if (line.startsWith(ASIDE)) kept.push(line.slice(ASIDE.length))
    if (line.startsWith(MARK) || (keyword === 'nameserver' && values[0] === server)) continue
    if (keyword === 'search' && values.some(domain => search.includes(domain))) {
      const others = values.filter(domain => !search.includes(domain))
      if (others.length > 0) kept.push(`search ${others.join(' ')}`)
    } else {
      kept.push(line)
    }
  }
  return kept.join('\n')
}

/** True if something of ours is in the file. */
export function hasOurs(text: string, { server }: Ours): boolean {
  return text.startsWith(MARK) || text.includes(`\n${MARK}`) || parseResolvConf(text).nameservers.includes(server)
}

/** The words of a line; none for a comment. */
function words(line: string): string[] {
  return /^[#;]/.test(line) ? [] : line.split(/\s+/).filter(word => word !== '')
}

/** The list without repetitions, as long as every resolver takes it. */
function bounded(domains: readonly string[]): string[] {
  const list: string[] = []
  for (const domain of new Set(domains)) {
    if (list.length < SEARCH_MAX && [...list, domain].join(' ').length <= SEARCH_CHARACTERS) list.push(domain)
  }
  return list
}
