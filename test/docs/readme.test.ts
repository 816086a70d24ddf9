// README.md and README.zh-CN.md say the same: code, sections, tables and links are compared.
import test from 'ava'
import { read } from './_pages.ts'

const ENGLISH = read('README.md')
const CHINESE = read('README.zh-CN.md')
/** A newcomer reads it in one sitting. */
const MAX_LINES = 250

/** A line of code without the comment behind it, which is translated. */
const code = (line: string): string => line.replace(/\s+(#|\/\/) .*$/, '')

test('both have the same code blocks', t => {
  const blocks = ({ blocks: all }: typeof ENGLISH): unknown =>
    all.map(({ language, lines }) => ({ language, lines: lines.map(code) }))
  t.true(ENGLISH.blocks.length >= 8)
  t.deepEqual(blocks(CHINESE), blocks(ENGLISH))
})

test('both have the same sections, and tables with the same figures', t => {
  t.deepEqual(CHINESE.levels, ENGLISH.levels)
  const figures = ({ tables }: typeof ENGLISH): string[][] =>
    tables.map(rows => rows.map(row => (row.match(/\d+(?:[.,]\d+)*/g) ?? []).sort().join(' ')))
  t.deepEqual(figures(CHINESE), figures(ENGLISH))
})

test('both lead to the same pages', t => {
  const others = ({ links }: typeof ENGLISH): string[] =>
    [...new Set(links)].filter(link => !link.startsWith('README')).sort()
  t.deepEqual(others(CHINESE), others(ENGLISH))
})

test('the comments of the Chinese one are Chinese', t => {
  const comments = CHINESE.blocks
    .filter(({ language }) => language !== 'text')
    .flatMap(({ lines }) => lines)
    .filter(line => line !== code(line))
  t.deepEqual(
    comments.filter(line => !/\p{Script=Han}/u.test(line)),
    []
  )
})

test('both are short', t => {
  for (const { file, length } of [ENGLISH, CHINESE]) t.true(length <= MAX_LINES, `${file}: ${length} lines`)
})
