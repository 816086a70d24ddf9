// kt's part of /etc/hosts, hosts(5): between two marks at the end of the file. Pure.

const BEGIN = '# kt: names of the cluster, kept up to date while kt is connected; kt takes them out again'
const END = '# kt: end'

/** `text` with the lines between our marks at its end, in place of those that were there; without lines there are no marks. */
export function withBlock(text: string, lines: readonly string[]): string {
  const rest = withoutBlock(text)
  if (lines.length === 0) return rest
  const separator = rest === '' || rest.endsWith('\n') ? '' : '\n'
  return `${rest}${separator}${[BEGIN, ...lines, END].join('\n')}\n`
}

/** `text` without our marks and what is between them; a mark without its other half goes alone. */
export function withoutBlock(text: string): string {
  const kept: string[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    if (line === END) continue
    if (line !== BEGIN) {
      kept.push(line)
      continue
    }
    const end = lines.indexOf(END, i)
    if (end > 0) i = end
  }
  return kept.join('\n')
}

/** True if something of ours is in the text. */
export function hasBlock(text: string): boolean {
  return text.split('\n').some(line => line === BEGIN || line === END)
}
