// The faults: how each is made, and what may become of open connections.
import { globSync, mkdtempSync, statfsSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { run } from '../cluster/run.ts'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { certifiedUser } from './certificates.ts'
import { agentsOf, blockServer, changeAddress, killIn, nodeNetwork, onLaptop, podsOfKt, settings } from './ground.ts'
import type { Progress } from './load.ts'
import { type ShortUser, shortUser } from './tokens.ts'

/** What a fault finds. */
export interface Scene {
  quick: boolean
  pid: number
  /** The shadow pod. */
  pod: string
  /** KT_HOME. */
  home: string
  progress(): Progress
  /** What does not work at this moment. */
  missing(): string[]
}

/** How `kt` is started for a fault, and what is put back after it has ended. */
export interface Setting {
  env?: Record<string, string>
  home?: string
  /** In place of the fault's own, where it needs what was prepared. */
  strike?(scene: Scene): Promise<void>
  /** After kt has ended. */
  remove?(): Promise<void>
}

export interface Fault {
  name: string
  /** Open connections go on. */
  keeps: boolean
  /** kt ends by itself, and puts everything back. */
  ends?: boolean
  /** Length of download and upload with --quick and without; others are endless. */
  mebibytes?: { quick: number; full: number }
  /** What `kt status` has to say of it. */
  says?: RegExp
  /** Before kt starts; a text says why it cannot be done here. */
  prepare?(): Promise<Setting | string>
  /** Make it happen; resolves when it is over. */
  strike?(scene: Scene): Promise<void>
}

const LIMIT_MS = 60_000

/** Wait for something that happens by itself. */
async function until(what: string, isSo: () => boolean, missing: () => string[] = () => []): Promise<void> {
  const end = performance.now() + LIMIT_MS
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${LIMIT_MS / 1000} s: ${missing().join(', ')}`)
    await delay(100)
  }
}

async function dropped(ms: number): Promise<void> {
  const open = await blockServer('drop')
  await delay(ms)
  await open()
}

/** The carrier's connection, and every other one to the API server, is reset. */
async function cut(): Promise<void> {
  const open = await blockServer('reset')
  await delay(200)
  await open()
}

async function cuts({ quick, progress }: Scene, { mebibytes }: Fault): Promise<void> {
  const total = 2 * mebibytes![quick ? 'quick' : 'full'] * 2 ** 20
  const times = quick ? 5 : 100
  for (let i = 1; i <= times; i++) {
    const { down, up } = progress()
    const from = down + up
    // Spread over what is transferred; the one after that needs something to have passed since.
    await until('a transfer that goes on', () => {
      const now = progress()
      return now.down + now.up > Math.max(from, (total * i) / (times + 1))
    })
    await cut()
  }
  await until('the rest of the transfer', () => {
    const { down, up } = progress()
    return down + up >= total
  })
}

const CUT: Fault = {
  name: 'carrier cut',
  keeps: true,
  mebibytes: { quick: 48, full: 1024 },
  strike: scene => cuts(scene, CUT)
}

const CONNECTION: Fault[] = [
  CUT,
  { name: 'packets dropped for 7 s', keeps: true, strike: () => dropped(7_000) },
  { name: 'packets dropped for 60 s', keeps: true, strike: ({ quick }) => dropped(quick ? 20_000 : 60_000) },
  { name: 'API server killed', keeps: true, strike: () => killIn(settings().controlPlane, 'kube-apiserver') },
  {
    name: "laptop's address changed",
    keeps: true,
    async strike({ missing }) {
      const back = await changeAddress()
      try {
        await delay(3_000)
        await until('everything at the new address', () => missing().length === 0, missing)
      } finally {
        await back()
      }
    }
  }
]

const CLUSTER: Fault[] = [
  { name: 'kubelet killed', keeps: true, strike: async ({ pod }) => killIn(await nodeOf(pod), 'kubelet') },
  { name: 'containerd killed', keeps: true, strike: async ({ pod }) => killIn(await nodeOf(pod), 'containerd') },
  {
    name: "agents' processes killed",
    keeps: false,
    async strike() {
      for (const { uid } of await podsOfKt()) for (const pid of agentsOf(uid)) process.kill(pid, 'SIGKILL')
    }
  },
  {
    name: 'pods deleted',
    keeps: false,
    async strike() {
      await kubectl(['-n', 'demo', 'delete', 'pods', '-l', 'control-by=kt', '--wait=false'])
    }
  },
  {
    name: 'node drained',
    keeps: false,
    async strike({ pod }) {
      const node = await nodeNameOf(pod)
      const flags = ['--force', '--ignore-daemonsets', '--pod-selector=control-by=kt', '--timeout=50s']
      try {
        await kubectl(['drain', node, ...flags])
      } finally {
        await kubectl(['uncordon', node])
      }
    }
  }
]

/** Tokens are made for so long. */
const TOKEN_SECONDS = 5
/** Those of a plugin: kt asks it again ten seconds before. */
const PLUGIN_TOKEN_SECONDS = 15
/** The API server takes a token for a minute longer, and remembers for some seconds that it was good; a certificate ends when it ends. */
const LEEWAY_SECONDS = 75
const CERTIFICATE_SECONDS = 20

/** Credentials that are replaced in time; the carrier, and every other connection, is made anew when the first are worth nothing. */
function renewed(name: string, seconds: number, leeway: number, make: (seconds: number) => Promise<ShortUser>): Fault {
  return {
    name,
    keeps: true,
    async prepare() {
      const user = await make(seconds)
      // One that fails shows: the last one expires.
      const timer = setInterval(() => void user.renew(seconds).catch(() => {}), (seconds / 3) * 1000)
      return {
        env: { KUBECONFIG: user.kubeconfig },
        async remove() {
          clearInterval(timer)
          await user.remove()
        }
      }
    },
    async strike() {
      await delay((seconds + leeway) * 1000)
      await cut()
    }
  }
}

const CREDENTIALS: Fault[] = [
  renewed('token expired, renewed', TOKEN_SECONDS, LEEWAY_SECONDS, seconds => shortUser(seconds)),
  renewed('token of a plugin expired', PLUGIN_TOKEN_SECONDS, LEEWAY_SECONDS, seconds => shortUser(seconds, 'plugin')),
  renewed('client certificate rotated', CERTIFICATE_SECONDS, 0, certifiedUser),
  {
    name: 'token expired, not renewed',
    keeps: true,
    says: /401|[Uu]nauthorized|credential|token/,
    async prepare() {
      const user = await shortUser(TOKEN_SECONDS)
      return {
        env: { KUBECONFIG: user.kubeconfig },
        async strike() {
          await delay((TOKEN_SECONDS + LEEWAY_SECONDS) * 1000)
          await cut()
          await delay(5_000)
          await user.renew(600) // what the user does who has read the line
        },
        remove: () => user.remove()
      }
    }
  }
]

const LAPTOP: Fault[] = [
  {
    name: 'kt stopped for 60 s',
    keeps: true,
    async strike({ pid, quick }) {
      process.kill(pid, 'SIGSTOP')
      await delay(quick ? 20_000 : 60_000)
      process.kill(pid, 'SIGCONT')
    }
  },
  { name: 'TUN deleted', keeps: false, ends: true, strike: () => onLaptop('ip', 'link', 'del', 'kt0') },
  {
    name: 'disk full',
    keeps: true,
    async prepare() {
      const home = mkdtempSync(join(tmpdir(), 'kt-full-'))
      await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', home])
      return {
        home,
        async remove() {
          await run('umount', ['--lazy', home])
          await rm(home, { recursive: true })
        }
      }
    },
    async strike({ home }) {
      const { bavail, bsize } = statfsSync(home)
      writeFileSync(join(home, 'filler'), Buffer.alloc(bavail * bsize))
      await cut()
    }
  },
  {
    name: 'clock moved by an hour',
    keeps: true,
    async prepare() {
      const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
      if (library === undefined) return 'libfaketime is not installed (Debian: apt-get install libfaketime)'
      const clock = join(mkdtempSync(join(tmpdir(), 'kt-clock-')), 'offset')
      writeFileSync(clock, '+0\n')
      const env = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' }
      return {
        env: { ...env, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
        async strike() {
          for (const offset of ['+3600', '-3600']) {
            writeFileSync(clock, `${offset}\n`)
            await delay(5_000)
          }
        }
      }
    }
  }
]

/** All of them, in the order in which they are tried. */
export const FAULTS: readonly Fault[] = [...CONNECTION, ...CLUSTER, ...CREDENTIALS, ...LAPTOP]

async function nodeNameOf(pod: string): Promise<string> {
  return kubectl(['-n', 'demo', 'get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}'])
}

async function nodeOf(pod: string): Promise<string> {
  return nodeNetwork(await nodeNameOf(pod))
}
