#!/usr/bin/env node
// In a checkout: runs bin/kt.ts with a Node that can, whichever Node (18 or later) was asked. Plain CommonJS on purpose.
'use strict'
const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const path = require('node:path')

const [major, minor] = process.versions.node.split('.').map(Number)
const able = major > 24 || (major === 24 && minor >= 12) || (major === 22 && minor >= 20)
const main = path.join(__dirname, 'kt.ts')

if (able) {
  process.argv[1] = main
  void import('./kt.ts')
} else {
  const node = path.join(__dirname, '..', 'node_modules', '.bin', 'node')
  if (!existsSync(node)) {
    console.error(
      `kt: Node ${process.versions.node} is too old (^22.20 || >=24.12): run \`npm ci\` in the checkout, which brings one`
    )
    process.exit(3)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal signals both of us, `kill` only this process: passing it on twice does no harm, kt stops once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 1))
}
