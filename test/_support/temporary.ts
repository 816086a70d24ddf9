// AVA loads this before each test file: what a file puts into the system's folder for such things goes with its process.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'kt-test-'))
chmodSync(folder, 0o755) // some tests act as other users
process.env.TMPDIR = folder
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
