// Debian's Chromium on the laptop of a test cluster, driven from here.
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { existingCluster } from '../../../cluster/existing.ts'
import { onLaptop } from '../../../cluster/laptop.ts'
import { cacheDirectory } from '../../../cluster/settings.ts'
import { CLUSTERS } from '../../_support/areas.ts'
import { ownKubeconfig } from '../../_support/laptop.ts'

const CHROMIUM = '/usr/bin/chromium'
/** Names of its own it must not ask for: they would be among those that tests look at. */
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']

/** Its pipes go through the program that enters the namespace, which becomes Chromium. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: launcher(), args: ARGUMENTS, timeout: 90_000 })
}

function launcher(): string {
  if (ownKubeconfig() !== undefined) return CHROMIUM
  const settings = existingCluster(CLUSTERS.main.id, cacheDirectory(process.env))
  const [program, words] = onLaptop(settings, [CHROMIUM])
  const file = join(mkdtempSync(join(tmpdir(), 'kt-chromium-')), 'chromium')
  writeFileSync(file, `#!/bin/sh\nexec ${[program, ...words].join(' ')} "$@"\n`)
  chmodSync(file, 0o755)
  return file
}
