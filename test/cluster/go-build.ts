// Kubernetes and CoreDNS from Go modules: the long part of `build`, with progress.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run, SYSTEM_PATH, succeeds } from './run.ts'
import type { Steps } from './steps.ts'

/** Of all that is built. */
export const KUBERNETES_VERSION = 'v1.33.13'
/** Two hours: a slow machine with one core must be able to finish. */
const BUILD_TIMEOUT_MS = 7_200_000
/** How often a line of progress is printed. */
const PROGRESS_MS = 10_000
/** What linking costs after the last package, in packages: the estimate of the remaining time counts it. */
const LINK_PACKAGES = 150

/** The names under which the one binary of Kubernetes is called. */
const COMPONENTS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl']

interface GoProgram {
  name: string
  ldflags: string
}

const PROGRAMS: GoProgram[] = [
  { name: 'kube', ldflags: kubernetesFlags() },
  { name: 'coredns', ldflags: '-s -w' }
]

function kubernetesFlags(): string {
  const facts = {
    gitVersion: KUBERNETES_VERSION,
    gitMajor: '1',
    gitMinor: '33',
    gitTreeState: 'clean',
    gitCommit: 'gomodule'
  }
  const flags = Object.entries(facts).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  flags.push('-X k8s.io/component-base/version.buildDate=2025-01-01T00:00:00Z')
  flags.push(`-X k8s.io/client-go/pkg/version.gitVersion=${KUBERNETES_VERSION}`)
  return ['-s -w', ...flags].join(' ')
}

/** Programs whose binary is missing or was made of something else. */
function missing(binaries: string): GoProgram[] {
  const isOld = ({ name, ldflags }: GoProgram): boolean => {
    const keyFile = join(binaries, `${name}.key`)
    return (
      !existsSync(join(binaries, name)) ||
      !existsSync(keyFile) ||
      readFileSync(keyFile, 'utf8') !== keyOf(name, ldflags)
    )
  }
  return PROGRAMS.filter(isOld)
}

/** True when `build` would not have to compile anything. */
export function binariesAreBuilt(binaries: string): boolean {
  return missing(binaries).length === 0
}

/** Compile what is missing. A binary is replaced only when its successor is whole. */
export async function buildBinaries(binaries: string, steps: Steps): Promise<void> {
  mkdirSync(binaries, { recursive: true })
  const env = goEnvironment()
  for (const program of missing(binaries)) {
    steps.say(`${program.name}: downloading its Go modules`)
    const cwd = join(import.meta.dirname, 'build', program.name)
    await run('go', ['mod', 'download'], { cwd, env, timeoutMs: BUILD_TIMEOUT_MS })
    await compile(program, join(binaries, program.name), cwd, env, steps)
    writeFileSync(join(binaries, `${program.name}.key`), keyOf(program.name, program.ldflags))
    steps.say(`${program.name}: built`)
  }
  for (const component of COMPONENTS) {
    rmSync(join(binaries, component), { force: true })
    symlinkSync('kube', join(binaries, component))
  }
}

async function compile(
  program: GoProgram,
  binary: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  steps: Steps
): Promise<void> {
  const total = (await run('go', ['list', '-deps', '.'], { cwd, env })).trim().split('\n').length
  const began = steps.seconds
  let done = 0
  steps.say(`${program.name}: compiling up to ${total} packages`)
  const progress = setInterval(() => {
    steps.say(`${program.name}: ${done} of ${total} packages${remaining(done, total, steps.seconds - began)}`)
  }, PROGRESS_MS)
  try {
    const args = ['build', '-v', '-o', `${binary}.new`, '-ldflags', program.ldflags, '.']
    await run('go', args, { cwd, env, timeoutMs: BUILD_TIMEOUT_MS, onLine: () => done++ })
    renameSync(`${binary}.new`, binary) // clusters that run the old one keep it
  } finally {
    clearInterval(progress)
  }
}

/** `, about 4 min left`; nothing while there is too little to go by. */
export function remaining(done: number, total: number, seconds: number): string {
  if (done < 20 || seconds < 5) return ''
  if (done >= total) return ', linking'
  const left = (seconds / done) * (total + LINK_PACKAGES - done)
  return left < 90 ? `, about ${Math.ceil(left / 10) * 10} s left` : `, about ${Math.ceil(left / 60)} min left`
}

/** The environment in which `go` is found and builds the same bytes everywhere. */
export function goEnvironment(): NodeJS.ProcessEnv {
  const path = [process.env.PATH ?? '', '/usr/local/go/bin', '/usr/lib/go/bin', SYSTEM_PATH].join(delimiter)
  return { ...process.env, PATH: path, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -trimpath' }
}

/** True when there is a `go` on this machine (its own `toolchain` line sees to a new enough one). */
export async function hasGo(): Promise<boolean> {
  return succeeds('go', ['version'], { env: goEnvironment() })
}

function keyOf(name: string, ldflags: string): string {
  const hash = createHash('sha256').update(ldflags)
  for (const file of ['go.mod', 'go.sum', 'main.go'])
    hash.update(readFileSync(join(import.meta.dirname, 'build', name, file)))
  return hash.digest('hex')
}
