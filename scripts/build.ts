// What is published: `dist` with the compiled sources, the types of the library, the agent's bundle, the dashboard's page and the man page.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { buildProgram } from '../lib/commands/main.ts'
import { version } from '../lib/version.ts'
import { bundleAgent, bundleSshDoor } from './bundle-agent.ts'
import { bundlePage } from './bundle-page.ts'
import { writeDeclarations } from './declarations.ts'
import { manPage } from './reference.ts'

rmSync('dist', { recursive: true, force: true })
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' })
chmodSync('dist/bin/kt.js', 0o755)
writeDeclarations('dist')
mkdirSync('dist/shadow-agent', { recursive: true })
writeFileSync('dist/shadow-agent/agent.js', await bundleAgent())
writeFileSync('dist/shadow-agent/ssh-door.js', await bundleSshDoor())
mkdirSync('dist/dashboard', { recursive: true })
for (const [name, text] of Object.entries(await bundlePage())) writeFileSync(`dist/dashboard/${name}`, text)
mkdirSync('dist/man', { recursive: true })
writeFileSync(
  'dist/man/kt.1',
  manPage(
    buildProgram(() => {}),
    version
  )
)
