// Runs on a laptop in a namespace of its own: what lib/host does there, for the tests to call.
import { execFileSync, spawnSync } from 'node:child_process'
import { lookup, Resolver } from 'node:dns/promises'
import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openJournal, recoverJournals } from '../../lib/host/journal.ts'
import { type PointedResolver, type PointResolverOptions, pointResolver } from '../../lib/host/resolver-linux.ts'
import {
  addRoutes,
  configureDevice,
  type DeviceSetup,
  hasIPv6,
  localNetworks,
  removeRoutes
} from '../../lib/host/routes-linux.ts'
import { serveCalls } from '../_support/netns.ts'

const OPTIONS = { device: 'kt0', server: '198.18.0.2', domain: 'cluster.local', namespace: 'demo' }
const RESOLV_CONF = '/etc/resolv.conf'

let pointed: PointedResolver | undefined
let notes: string[] = []
let upstreams: string[] = []

async function point(journals: string, more: Partial<PointResolverOptions> = {}) {
  notes = []
  const journal = openJournal(journals)
  upstreams = []
  const onUpstreams = (now: string[]): void => {
    upstreams = now
  }
  pointed = await pointResolver({ ...OPTIONS, ...more, journal, note: line => notes.push(line), onUpstreams })
  return { mode: pointed.mode, upstreams: pointed.upstreams, describe: pointed.describe }
}

/** Everything about /etc/resolv.conf that must be the same afterwards. */
function snapshot(): string {
  try {
    const stat = lstatSync(RESOLV_CONF)
    const what = stat.isSymbolicLink()
      ? `link to ${readlinkSync(RESOLV_CONF)}`
      : `inode ${stat.ino}: ${readFileSync(RESOLV_CONF).toString('hex')}`
    return `${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${what}`
  } catch {
    return 'missing'
  }
}

if (process.argv[2] === 'crash') {
  await point(process.argv[3] ?? '')
  if (process.argv[4]) {
    execFileSync('sh', ['-e', '-c', process.argv[4]])
    while (upstreams.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  }
  process.kill(process.pid, 'SIGKILL')
} else {
  serveCalls({
    shell: (script: string) => execFileSync('sh', ['-e', '-c', script], { encoding: 'utf8' }),
    snapshot,
    text: () => readFileSync(RESOLV_CONF, 'latin1'),
    point,
    /** Who answers other names since another program has written the file. */
    upstreams: () => upstreams,
    async restore() {
      await pointed?.restore()
      return notes
    },
    /** Point, run the shell lines until they are noticed, and be killed. */
    crash: (journals: string, shell = '') =>
      spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'crash', journals, shell], { timeout: 60_000 })
        .signal,
    recover: recoverJournals,
    /** The error's code and message, or undefined. */
    async configure(setup: DeviceSetup) {
      await configureDevice('kt0', setup)
      return hasIPv6('kt0')
    },
    add: (cidrs: string[]) => addRoutes('kt0', cidrs),
    remove: (cidrs: string[]) => removeRoutes('kt0', cidrs),
    networks: (except: string) => localNetworks(except),
    lookup: (name: string) => lookup(name).then(({ address }) => address, String),
    reverse: (address: string) => new Resolver().reverse(address).catch(String),
    resolve: (name: string) => new Resolver().resolve4(name).catch(String)
  })
}
