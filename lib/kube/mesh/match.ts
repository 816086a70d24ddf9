// `--versionMark` and `--match`: which requests are meant.
import { KtError } from '../../errors.ts'
import type { Condition } from '../../router/config.ts'
import { linear } from '../../router/linear.ts'
import { randomSuffix } from '../names.ts'

/** A version of a service: by it colleagues are told apart, and it is part of names. */
export interface Mark {
  /** Name of the header, in lower case. */
  header: string
  version: string
  /** The user has named either of them. */
  given: boolean
}

/** kt-connect's. */
const HEADER = 'version'
/** RFC 9110 §5.6.2: names of headers, and of cookies (RFC 6265 §4.1.1). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** What a label may be, because in manual mode it is one. */
const VERSION = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
/** Characters of a value or of a regular expression: every request of the service is compared with it. */
const VALUE_MAX = 512
/** Conditions of one participant. */
const CONDITIONS_MAX = 16

/** `v`, `key:` or `key:v`; what is missing is `version`, and five random letters. Throws KT_USAGE. */
export function parseMark(text: string | undefined): Mark {
  const colon = text?.indexOf(':') ?? -1
  const header = colon < 0 || text === undefined ? '' : text.slice(0, colon)
  const version = text?.slice(colon + 1) ?? ''
  if (text === '' || (colon >= 0 && !TOKEN.test(header)) || (version !== '' && !VERSION.test(version)))
    throw new KtError('KT_USAGE', `--versionMark "${text}" cannot be read`, {
      hint: 'write VERSION, or HEADER: or HEADER:VERSION; a version has letters, digits, - _ and ., at most 63'
    })
  return {
    header: (header || HEADER).toLowerCase(),
    version: version || randomSuffix(),
    given: text !== undefined
  }
}

/** What a request must be to come here: `--match` says it; without, or with `--versionMark` besides, the header of the mark. */
export function conditionsOf(mark: Mark, matches: readonly string[]): Condition[] {
  const conditions = matches.map(parseMatch)
  if (conditions.length === 0 || mark.given) conditions.unshift({ header: mark.header, exact: mark.version })
  if (conditions.length > CONDITIONS_MAX)
    throw new KtError('KT_USAGE', `--match was given ${matches.length} times, at most ${CONDITIONS_MAX} are possible`)
  return conditions
}

/** One `--match`. Throws KT_USAGE. */
export function parseMatch(text: string): Condition {
  const [, kind = '', rest = ''] = /^(header|path|query|cookie):(.+)$/s.exec(text) ?? []
  if (kind === 'path') {
    if (!/^\/[\x21-\x7e]*$/.test(rest) || rest.length > VALUE_MAX) throw bad(text)
    return { pathPrefix: rest }
  }
  const [, name = '', sign = '', value = ''] = /^([^=~]+)([=~])(.*)$/s.exec(rest) ?? []
  const named = kind === 'query' ? /^[\x21-\x7e]+$/.test(name) : TOKEN.test(name)
  if (kind === '' || !named || value.length > VALUE_MAX || /[\r\n\0]/.test(value)) throw bad(text)
  if (sign === '~') demandPattern(text, value)
  const wanted = sign === '=' ? { exact: value } : { regex: value }
  if (kind === 'header') return { header: name.toLowerCase(), ...wanted }
  return kind === 'query' ? { query: name, ...wanted } : { cookie: name, ...wanted }
}

/** The router compiles it again; it takes none that could stand in the way of other requests. */
function demandPattern(text: string, pattern: string): void {
  try {
    linear(pattern)
  } catch (cause) {
    throw new KtError(
      'KT_USAGE',
      `--match "${text}": no regular expression of linear time: ${(cause as Error).message}`,
      {
        hint: 'it is compared with every request of the service: no look-around, no back-references',
        cause
      }
    )
  }
}

function bad(text: string): KtError {
  return new KtError('KT_USAGE', `--match "${text}" cannot be read`, {
    hint: 'write header:NAME=VALUE, path:/PREFIX, query:NAME=VALUE or cookie:NAME=VALUE; ~ in place of = for a regular expression'
  })
}

/** `header 'VERSION: blue'`, `path /api`: for the banner and for messages. */
export function describeCondition(condition: Condition): string {
  if ('pathPrefix' in condition) return `path ${condition.pathPrefix}`
  const value = 'exact' in condition ? condition.exact : `~ ${condition.regex}`
  if ('header' in condition) return `header '${condition.header.toUpperCase()}: ${value}'`
  return 'query' in condition ? `query '${condition.query}=${value}'` : `cookie '${condition.cookie}=${value}'`
}

/** All of them, joined by "and". */
export function describeConditions(conditions: readonly Condition[]): string {
  return conditions.map(describeCondition).join(' and ')
}

/** Do two ask for the same, whatever the order? */
export function sameConditions(a: readonly Condition[], b: readonly Condition[]): boolean {
  const texts = (conditions: readonly Condition[]): string => conditions.map(describeCondition).sort().join('\n')
  return texts(a) === texts(b)
}
