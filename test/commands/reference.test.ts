// What is made from the commands is what lies in docs.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { buildProgram } from '../../lib/commands/main.ts'
import { version } from '../../lib/version.ts'
import { manPage, markdown } from '../../scripts/reference.ts'

const DOCS = join(import.meta.dirname, '../../docs')
const MAN = '/usr/bin/man'
const program = buildProgram(() => {})

test('docs/commands.md is current (node scripts/docs.ts writes it)', t => {
  t.is(readFileSync(join(DOCS, 'commands.md'), 'utf8'), markdown(program))
})

test('docs/kt.1 is current, and man has nothing to say against it', t => {
  const page = manPage(program, version)
  t.is(readFileSync(join(DOCS, 'kt.1'), 'utf8'), page)
  for (const command of program
    .createHelp()
    .visibleCommands(program)
    .filter(each => each.name() !== 'help'))
    t.true(page.includes(`.SS kt ${command.name().replaceAll('-', '\\-')}`), command.name())
  if (!existsSync(MAN)) return t.log('skipped: there is no man here')
  const shown = execFileSync(MAN, ['--warnings=all', '-l', join(DOCS, 'kt.1')], {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' }
  })
  t.regex(shown, /NAME\n\s+kt - one network for your laptop and a Kubernetes cluster/)
  t.regex(shown, /--excludeIps <list>/)
})

test('every command has help with an example', t => {
  const sections = markdown(program).split('\n## ').slice(2)
  t.true(sections.length > 25)
  for (const section of sections) t.regex(section, /Examples?:/, section.split('\n')[0])
})
