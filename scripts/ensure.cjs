// Before `npm test` and `npm run demo` on a fresh clone: installs what package-lock.json names. Runs on any Node ≥ 18.
'use strict'
const { spawnSync } = require('node:child_process')
const { existsSync, statSync } = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const installed = path.join(root, 'node_modules', '.package-lock.json')
const wanted = path.join(root, 'package-lock.json')

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(wanted).mtimeMs) {
  console.log('Installing the dependencies: npm ci')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit'
  })
  if (status !== 0) {
    console.error('npm ci failed: kt needs the npm registry once')
    process.exit(1)
  }
}
