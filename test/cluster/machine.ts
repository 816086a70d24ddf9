// Is this a machine for the test cluster? What it lacks, in one line; and the Debian packages that are needed.
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { binariesAreBuilt, hasGo } from './go-build.ts'
import { run, SYSTEM_PATH, succeeds } from './run.ts'
import type { Steps } from './steps.ts'

/** The machine cannot run the cluster; `message` is the one line for the user. */
export class UnfitMachine extends Error {
  override readonly name = 'UnfitMachine'
}

/** Debian package for each program (or file) that is looked for. */
const PACKAGES: Record<string, string> = {
  etcd: 'etcd-server',
  containerd: 'containerd',
  runc: 'runc',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  iptables: 'iptables',
  nft: 'nftables',
  ip: 'iproute2',
  conntrack: 'conntrack',
  '/bin/busybox': 'busybox-static',
  openssl: 'openssl',
  modprobe: 'kmod',
  gcc: 'gcc',
  '/usr/include/stdlib.h': 'libc6-dev',
  // inside of images, and in the hands of the tests
  iperf3: 'iperf3',
  socat: 'socat',
  curl: 'curl',
  wget: 'wget',
  dig: 'bind9-dnsutils',
  dnsperf: 'dnsperf',
  'nc.openbsd': 'netcat-openbsd',
  'redis-check-rdb': 'redis-tools',
  rsync: 'rsync',
  git: 'git',
  ping: 'iputils-ping'
}

/** What keeps this machine from running the cluster: an empty list when nothing does. Go counts only while it is needed. */
export async function lacks(binaries: string): Promise<string[]> {
  const lacking: string[] = []
  if (process.platform !== 'linux') lacking.push('Linux')
  if (process.getuid?.() !== 0) lacking.push('root')
  if (!binariesAreBuilt(binaries) && !(await hasGo())) lacking.push('Go 1.25 or newer')
  return lacking
}

/** Throws {@link UnfitMachine} with the one line, or returns. */
export async function requireMachine(binaries: string): Promise<void> {
  const lacking = await lacks(binaries)
  if (lacking.length === 0) return
  throw new UnfitMachine(
    `the built-in test cluster needs Linux, root and Go; here is no ${lacking.join(' and no ')}. ` +
      'Use a cluster of your own instead: KT_TEST_KUBECONFIG=/path/to/kubeconfig'
  )
}

/** Install the Debian packages whose programs are missing. */
export async function installPackages(steps: Steps): Promise<void> {
  const names = missingPackages()
  if (names.length === 0) return
  if (!(await succeeds('apt-get', ['--version']))) {
    throw new UnfitMachine(
      `the built-in test cluster needs these Debian packages, and there is no apt-get to install them: ${names.join(' ')}`
    )
  }
  steps.say(`installing ${names.join(' ')}`)
  const env = { ...process.env, PATH: SYSTEM_PATH, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], { env })
}

function missingPackages(): string[] {
  const folders = SYSTEM_PATH.split(':')
  const isThere = (program: string): boolean =>
    program.startsWith('/') ? readable(program) : folders.some(folder => readable(join(folder, program)))
  return Object.entries(PACKAGES)
    .filter(([program]) => !isThere(program))
    .map(([, name]) => name)
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
