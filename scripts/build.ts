// What is published: `dist` with the compiled sources and the agent's bundle.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { bundleAgent } from './bundle-agent.ts'

rmSync('dist', { recursive: true, force: true })
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' })
chmodSync('dist/bin/kt.js', 0o755)
mkdirSync('dist/shadow-agent', { recursive: true })
writeFileSync('dist/shadow-agent/agent.js', await bundleAgent())
