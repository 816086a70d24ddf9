// What the documents say exists: pages, anchors, commands, flags, error codes.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { type Command, CommanderError } from 'commander'
import { prepared } from '../../lib/commands/global.ts'
import { buildProgram } from '../../lib/commands/main.ts'
import { type Page, pages, ROOT, read } from './_pages.ts'
import { commandsOf, ktWords } from './_shell.ts'

const PAGES = pages()
/** Changes of the past name what was there then. */
const OF_TODAY = PAGES.filter(({ file }) => file !== 'CHANGELOG.md')
const SHELL = ['sh', 'bash', 'shell', 'console']

test('links lead somewhere', t => {
  const broken = PAGES.flatMap(page =>
    page.links.filter(link => !leads(page, link)).map(link => `${page.file}: ${link}`)
  )
  t.deepEqual(broken, [])
  t.true(PAGES.flatMap(({ links }) => links).length > 30, 'links are found')
})

function leads(page: Page, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return true
  const [path = '', anchor] = link.split('#')
  const file = path === '' ? page.file : relative(ROOT, join(ROOT, dirname(page.file), path))
  if (!existsSync(join(ROOT, file))) return false
  return anchor === undefined || read(file).anchors.includes(decodeURIComponent(anchor))
}

test('every page of docs is in its index', t => {
  const listed = read('docs/README.md').links
  const missing = PAGES.map(({ file }) => file)
    .filter(file => /^docs\/[^/]*$/.test(file) && file !== 'docs/README.md')
    .filter(file => !listed.includes(relative('docs', file)))
  t.deepEqual(missing, [])
})

/** Why kt would not take these words, or undefined. Nothing of it is run. */
function refusal(words: string[]): string | undefined {
  const program = buildProgram(() => {}).configureOutput({ writeErr: () => {}, outputError: () => {} })
  try {
    const { words: own } = prepared(program, words)
    const { operands, unknown } = program.parseOptions(own)
    const [command, rest] = find(program, [...operands, ...unknown])
    if (command === program) {
      const help = rest.length === 0 || ['-h', '--help', 'help'].includes(rest[0]!)
      return help ? undefined : `no command ${rest[0]}`
    }
    command.configureOutput({ writeErr: () => {}, outputError: () => {} })
    if (rest.includes('--help')) return undefined
    const given = command.parseOptions(rest)
    if (given.unknown.length > 0) return `unknown ${given.unknown.join(' ')}`
    const wanted = command.registeredArguments
    if (given.operands.length < wanted.filter(each => each.required).length) return 'an operand is missing'
    if (given.operands.length > wanted.length && !wanted.at(-1)?.variadic) return 'too many operands'
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.message
    throw error
  }
}

/** The command that the words name, also one inside of another, and the words behind. */
function find(parent: Command, words: string[]): [Command, string[]] {
  const name = words[0] ?? ''
  const child = parent.commands.find(each => each.name() === name || each.aliases().includes(name))
  return child === undefined ? [parent, words] : find(child, words.slice(1))
}

test('kt takes every command line of the documents', t => {
  const lines = OF_TODAY.flatMap(({ file, blocks }) =>
    blocks
      .filter(({ language }) => SHELL.includes(language))
      .flatMap(block => block.lines.map(line => ({ file, line })))
  )
  const found = lines.flatMap(({ file, line }) =>
    commandsOf(line).flatMap(words => {
      const behind = ktWords(words)
      return behind === undefined ? [] : [{ file, line, why: refusal(behind) }]
    })
  )
  t.true(found.length > 80, `${found.length} lines`)
  const refused = found.filter(({ why }) => why !== undefined)
  t.deepEqual(
    refused.map(({ file, line, why }) => `${file}: ${line}: ${why}`),
    []
  )
})

test('commands and flags that the text names exist', t => {
  const program = buildProgram(() => {})
  const refused: string[] = []
  for (const { file, spans } of OF_TODAY.filter(page => !page.file.endsWith('spec.md'))) {
    for (const span of spans) {
      const words = ktWords(span.split(/\s+/))
      if (words === undefined || words.length === 0) continue
      const [command, rest] = find(program, words)
      const known = [...program.options, ...command.options].flatMap(({ long, short }) => [long, short])
      const behind = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
      const flags = behind.map(word => /^--?\w+/.exec(word)?.[0]).filter(flag => flag !== undefined)
      const unknown = flags.filter(flag => !known.includes(flag) && flag !== '--help' && flag !== '-h')
      const isNamed = command !== program || /^(-|[A-Z]+$)/.test(words[0]!)
      if (!isNamed || unknown.length > 0) refused.push(`${file}: ${span} ${unknown.join(' ')}`)
    }
  }
  t.deepEqual(refused, [])
})

test('a command line that is wrong would be found', t => {
  for (const line of ['kt up --nowhere', 'kt exchang shop', 'kt exchange', 'kt status now', 'kt up --output xml']) {
    const words = ktWords(commandsOf(line)[0]!)
    t.is(typeof refusal(words!), 'string', line)
  }
  t.is(refusal(['up', '--', 'npm', 'test', '--nowhere']), undefined)
  t.deepEqual(commandsOf(`sudo kt up -D; eval "$(kt env --proxy)" | x 'a b' # kt`), [
    ['kt', 'env', '--proxy'],
    ['sudo', 'kt', 'up', '-D'],
    ['eval', 'SUBSTITUTED'],
    ['x', 'a b']
  ])
})

test('docs/troubleshooting.md has every error code, below its exit code, with cause and help', t => {
  const source = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
  const codes = [...source('lib/errors.ts').matchAll(/^ {2}\| '(KT_\w+)'/gm)].map(([, code]) => code!)
  t.true(codes.length > 20)
  const main = source('lib/commands/main.ts')
  const number = (name: string): string => new RegExp(`^const ${name} = (\\d+)$`, 'm').exec(main)?.[1] ?? ''
  const expected = codes.map(code => `${code} ${number(new RegExp(`^  ${code}: (\\w+)`, 'm').exec(main)?.[1] ?? '')}`)
  let exitCode = ''
  const documented = source('docs/troubleshooting.md')
    .split('\n')
    .flatMap(line => {
      exitCode = /^### Exit code (\d+)/.exec(line)?.[1] ?? exitCode
      const [, code] = /^\| `(KT_\w+)` \| \S.{8,} \| \S.{8,} \|$/.exec(line) ?? []
      return code === undefined ? [] : [`${code} ${exitCode}`]
    })
  t.deepEqual(documented.sort(), expected.sort())
})
