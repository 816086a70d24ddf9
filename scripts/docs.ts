// Writes what is made from the texts of --help: docs/commands.md and docs/kt.1.
import { mkdirSync, writeFileSync } from 'node:fs'
import { buildProgram } from '../lib/commands/main.ts'
import { version } from '../lib/version.ts'
import { manPage, markdown } from './reference.ts'

const program = buildProgram(() => {})
mkdirSync('docs', { recursive: true })
writeFileSync('docs/commands.md', markdown(program))
writeFileSync('docs/kt.1', manPage(program, version))
