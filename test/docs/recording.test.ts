// The animated picture of a terminal, and the one that README shows.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Screen } from '../../scripts/screen.ts'
import { terminalSvg } from '../../scripts/terminal-svg.ts'
import { ROOT, read } from './_pages.ts'

const PICTURE = 'docs/images/kt.svg'
const MAX_BYTES = 200_000

function shown(columns: number, ...texts: string[]): string[] {
  const screen = new Screen(columns)
  for (const text of texts) screen.write(text)
  return screen.lines.map(cells => cells.map(({ character }) => character).join(''))
}

test('a screen has what a terminal would have', t => {
  t.deepEqual(shown(80, 'one\r\ntwo'), ['one', 'two'])
  t.deepEqual(shown(80, 'wait\r\u001b[Kdone'), ['done'])
  t.deepEqual(shown(80, 'a\r\nb\r\n\u001b[1A\u001b[2K\u001b[Gc'), ['a', 'c', ''])
  t.deepEqual(shown(4, 'abcdef'), ['abcd', 'ef'])
  t.deepEqual(shown(80, 'x\u001b', '[3', '2my\u001b[?25l✓'), ['xy✓'], 'a sequence in pieces')
})

test('each text is there for its time, and the last one stays', t => {
  const svg = terminalSvg(
    [
      { at: 0, text: '- wait' },
      { at: 1000, text: '\r\u001b[2K\u001b[32m✓\u001b[39m a < b' }
    ],
    20,
    2
  )
  // 1 s, and 5 s in which the last picture stays.
  t.regex(svg, /@keyframes v0\{0%\{visibility:hidden\}0\.00%\{visibility:visible\}16\.67%,100%\{visibility:hidden\}\}/)
  t.regex(svg, /@keyframes v1\{0%\{visibility:hidden\}16\.67%\{visibility:visible\}100%\{visibility:visible\}\}/)
  t.regex(svg, /<g class="v0"><text y="13" textLength="50\.4">- wait<\/text>/)
  t.true(svg.includes('<tspan class="g">✓</tspan> a &lt; b'))
})

test('what is longer than the window moves up', t => {
  const svg = terminalSvg([{ at: 0, text: '1\r\n2\r\n3\r\n4' }], 20, 2)
  t.true(svg.includes('.s{transform:translateY(-36px)}'))
})

test('README shows the recording, which is small and needs nothing from elsewhere', t => {
  for (const page of ['README.md', 'README.zh-CN.md']) t.true(read(page).links.includes(PICTURE), page)
  t.true(statSync(join(ROOT, PICTURE)).size <= MAX_BYTES)
  const svg = readFileSync(join(ROOT, PICTURE), 'utf8')
  t.notRegex(svg, /<script|<image|@import|url\(/)
  for (const part of ['kt up -D', 'kt exchange nginx', 'hello from the laptop']) t.true(svg.includes(part), part)
})
