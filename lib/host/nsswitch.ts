// The text of nsswitch.conf(5). Pure.

/**
 * `text` in which host names are not looked up by the module `name`, nor is anything said about its answers; without another one the DNS
 * is asked. The same text where the module is not named.
 */
export function withoutHostsModule(text: string, name: string): string {
  return text.replace(/^(\s*hosts\s*:)([^#\n]*)/gm, (line, head: string, services: string) => {
    // `service [STATUS=action ...] service ...`
    const parts = services.match(/\[[^\]]*\]|[^\s[]+/g) ?? []
    const kept = parts.filter((part, i) => !(part === name || (part.startsWith('[') && parts[i - 1] === name)))
    if (kept.length === parts.length) return line
    const others = kept.filter(part => !part.startsWith('['))
    return `${head} ${[...kept, ...(others.includes('dns') ? [] : ['dns'])].join(' ')} `
  })
}
