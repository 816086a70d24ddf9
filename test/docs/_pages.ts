// The project's Markdown pages: their code, headings and links.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Root of the checkout. */
export const ROOT = join(import.meta.dirname, '../..')

/** A block between fences. */
interface Block {
  language: string
  lines: string[]
}

export interface Page {
  /** Below the root of the checkout. */
  file: string
  /** In lines. */
  length: number
  blocks: Block[]
  /** Text between single backticks, outside of blocks. */
  spans: string[]
  /** As GitHub names them in links: lower case, blanks as dashes, punctuation left out. */
  anchors: string[]
  /** `#`, `##`, … of each heading, in order. */
  levels: string[]
  /** Targets of links and pictures. */
  links: string[]
  /** The rows of each table, its head included. */
  tables: string[][]
}

/** Every page a reader may open. */
export function pages(): Page[] {
  const files = globSync(['*.md', 'docs/*.md', 'bench/*.md', 'lib/**/*.md', 'test/**/*.md'], { cwd: ROOT })
  return files.sort().map(read)
}

/** One page; `file` is below the root of the checkout. */
export function read(file: string): Page {
  const blocks: Block[] = []
  const prose: string[] = []
  const tables: string[][] = []
  let open: Block | undefined
  let inTable = false
  const all = readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n')
  for (const line of all) {
    const fence = /^\s*```(\S*)/.exec(line)
    if (open === undefined && fence !== null) {
      open = { language: fence[1] ?? '', lines: [] }
      blocks.push(open)
    } else if (fence !== null) open = undefined
    else if (open !== undefined) open.lines.push(line)
    else prose.push(line)
    const isRow = open === undefined && line.startsWith('|')
    if (isRow && !inTable) tables.push([])
    if (isRow) tables.at(-1)!.push(line)
    inTable = isRow
  }
  const text = prose.join('\n')
  const headings = prose.flatMap(line => [...line.matchAll(/^(#+) (.*)$/g)])
  const plain = text.replace(/`[^`\n]*`/g, '``')
  return {
    file,
    length: all.length,
    blocks,
    spans: [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span),
    anchors: numbered(headings.map(([, , title = '']) => slug(title))),
    levels: headings.map(([, level = '']) => level),
    links: [...plain.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => a ?? b ?? ''),
    tables
  }
}

function slug(title: string): string {
  return title
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** The second of the same name has -1. */
function numbered(slugs: string[]): string[] {
  return slugs.map((each, at) => {
    const before = slugs.slice(0, at).filter(other => other === each).length
    return before === 0 ? each : `${each}-${before}`
  })
}
