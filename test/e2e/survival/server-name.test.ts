// An API server with a name below a domain that the cluster was given: the way to it is found again when it is lost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { readKubeconfig } from '../../../lib/kube/api/kubeconfig.ts'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { kubeconfig } from '../../kube/_support/kubeconfig.ts'
import { COMPANY_DOMAIN, joinCompany, WWW_ADDRESS } from '../_support/company.ts'
import { serviceAddress } from '../_support/demo.ts'
import { kt, startKt } from '../_support/kt.ts'
import { builtIn, laptop, kubeconfig as ownKubeconfig } from '../_support/laptop.ts'
import { passAll, RESET, stopAtServer } from './_support/server-way.ts'

const NAME = `www.${COMPANY_DOMAIN}`
/** So long the server cannot be reached: an attempt or two fail. */
const LOST_MS = 2_000

const folder = mkdtempSync(join(tmpdir(), 'kt-server-name-'))
let leave: (() => Promise<void>) | undefined

test.before(async () => {
  if (builtIn) leave = await joinCompany()
})
test.after.always(async () => {
  await passAll()
  await leave?.()
  rmSync(folder, { recursive: true })
})

const onBuiltIn = builtIn ? test.serial : test.serial.skip

onBuiltIn('its name is asked for outside, so that a lost carrier gets a successor', async t => {
  const { cluster, user } = readKubeconfig({ kubeconfig: ownKubeconfig() })
  const { port, hostname } = new URL(cluster.server)
  const named = { ...cluster, server: `https://${NAME}:${port}`, 'tls-server-name': hostname }
  const env = { KUBECONFIG: join(folder, 'kubeconfig') }
  writeFileSync(env.KUBECONFIG, kubeconfig('named', named, user, 'demo'))
  const running = await startKt(['--includeDomains', COMPANY_DOMAIN], { env })
  const nginx = await serviceAddress('nginx')
  try {
    const asked = await kt(['dns', NAME, '--output', 'json'], { env })
    t.like(JSON.parse(asked.stdout), { source: 'upstream', records: [{ data: WWW_ADDRESS }] })
    await stopAtServer(RESET)
    const request = laptop('curl', ['-sS', '-o', '/dev/null', '--max-time', '20', `http://${nginx}/`])
    await delay(LOST_MS)
    await passAll()
    t.is((await request).code, 0, 'what was asked for meanwhile is answered')
    const { stdout } = await kt(['status', '--output', 'json'], { env })
    const { carriers } = (JSON.parse(stdout) as { status: SessionStatus }[])[0]!.status
    const events = carriers.map(({ event }) => event)
    t.deepEqual([events[0], events.at(-1), events.includes('lost')], ['connected', 'resumed', true], events.join(' '))
  } finally {
    await running.stop()
  }
})
