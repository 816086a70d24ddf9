// What is published: `dist` with the compiled sources, the types of the library, the agent's bundle, the dashboard's page and the man page.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { buildProgram } from '../lib/commands/main.ts'
import { version } from '../lib/version.ts'
import { bundleAgent, bundleSshDoor } from './bundle-agent.ts'
import { bundlePage } from './bundle-page.ts'
import { writeDeclarations } from './declarations.ts'
import { manPage } from './reference.ts'

// Beside `dist`, and put in its place when it is whole: somebody may be using the one before.
const built = mkdtempSync('dist-')
chmodSync(built, 0o755)
try {
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', built], { stdio: 'inherit' })
  chmodSync(`${built}/bin/kt.js`, 0o755)
  writeDeclarations(built)
  mkdirSync(`${built}/shadow-agent`, { recursive: true })
  writeFileSync(`${built}/shadow-agent/agent.js`, await bundleAgent())
  writeFileSync(`${built}/shadow-agent/ssh-door.js`, await bundleSshDoor())
  mkdirSync(`${built}/dashboard`, { recursive: true })
  for (const [name, text] of Object.entries(await bundlePage())) writeFileSync(`${built}/dashboard/${name}`, text)
  mkdirSync(`${built}/man`, { recursive: true })
  writeFileSync(
    `${built}/man/kt.1`,
    manPage(
      buildProgram(() => {}),
      version
    )
  )
  replace('dist', built)
} finally {
  rmSync(built, { recursive: true, force: true })
}

/** A folder cannot be renamed onto another one: the old one is taken away first, a fraction of a millisecond before. */
function replace(folder: string, by: string): void {
  const old = `${by}.old`
  for (let left = 10; ; left--) {
    try {
      renameSync(folder, old)
    } catch {} // there is none
    try {
      renameSync(by, folder)
      break
    } catch (error) {
      if (left === 0) throw error // not another build, then, that was quicker
    } finally {
      rmSync(old, { recursive: true, force: true })
    }
  }
}
