// Takes out of a text what nobody else may read. Pure.

const HIDDEN = '[removed]'

/** Patterns and what stays of them. A false alarm costs a word; a miss costs a secret. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g, HIDDEN],
  [/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g, HIDDEN],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, HIDDEN], // a JWT
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/([a-z][\w+.-]*:\/\/[^/\s:@]*):[^@\s/]+@/gi, `$1:${HIDDEN}@`],
  [
    /((?:password|passwd|secret|token|api[-_]?key|client-key-data|client-certificate-data|certificate-authority-data|id-token|refresh-token)["']?\s*[:=]\s*)["']?(?!\[removed\])[^\s"',}]+["']?/gi,
    `$1${HIDDEN}`
  ]
]

/** The text without keys, tokens, passwords and certificates. Applied twice it is the same. */
export function redact(text: string): string {
  return SECRETS.reduce((clean, [pattern, stays]) => clean.replace(pattern, stays), text)
}
