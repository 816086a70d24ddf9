// `kt bundle`: everything that somebody who helps needs to see, of both sides, in one readable file, without secrets.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Command } from 'commander'
import { check } from '../check/check.ts'
import type { Finding } from '../check/finding.ts'
import { RESOLV_CONF } from '../host/resolv-conf-file.ts'
import { run } from '../host/run.ts'
import { giveToInvoker } from '../host/state.ts'
import { loadCluster } from '../kube/api/client.ts'
import { diagnostics } from '../kube/diagnostics.ts'
import { askControl } from '../session/control.ts'
import { platform } from '../session/platform.ts'
import { sessions } from '../session/registry.ts'
import { version } from '../version.ts'
import { clusterOptions } from './cluster-options.ts'
import type { GlobalFlags } from './global.ts'
import { logFiles } from './logs.ts'
import { print, yaml } from './output.ts'
import { redact } from './redact.ts'

interface BundleFlags extends GlobalFlags {
  file?: string
}

/** All questions to the cluster together. */
const LIMIT_MS = 90_000
/** Logs: the newest ones, and the end of each. */
const LOGS_MAX = 5
const LOG_MAX_BYTES = 256 * 1024

export function bundleCommand(): Command {
  return new Command('bundle')
    .description(
      'write what somebody who helps must see into one file: this computer, the cluster, the logs; no secrets'
    )
    .option('--file <file>', 'where to (default: kt-bundle-TIME.yaml here)')
    .addHelpText(
      'after',
      '\nExamples:\n  sudo kt bundle\n  kt bundle -n shop --file /tmp/kt.yaml\nRead it before you pass it on.'
    )
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<BundleFlags>()
      const file = flags.file ?? `kt-bundle-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.yaml`
      const signal = AbortSignal.timeout(LIMIT_MS)
      const parts = { kt: ours(), laptop: await laptopSide(), ...(await clusterSide(flags, signal)), logs: logs() }
      const text = redact(yaml(parts))
      writeFileSync(file, text, { mode: 0o600 })
      giveToInvoker(file)
      print(
        flags.output,
        { file, bytes: text.length },
        `${file}: ${text.length} bytes. Read it before you pass it on.\n`
      )
    })
}

function ours(): object {
  const { platform, arch, versions } = process
  return { version, node: versions.node, platform: `${platform} ${arch}`, uid: process.getuid?.(), time: new Date() }
}

async function laptopSide(): Promise<object> {
  const running = await Promise.all(
    sessions().map(async session => ({
      ...session,
      status: await askControl(session.socket, 'GET', '/status').catch((error: Error) => error.message)
    }))
  )
  const network: Record<string, string> = {}
  for (const line of platform.shows) {
    const [program = '', ...args] = line.split(' ')
    const result = await run(program, args).catch((error: Error) => ({ ok: false, stdout: '', stderr: error.message }))
    network[line] = result.ok ? result.stdout : result.stderr
  }
  return { sessions: running, resolvConf: contents(RESOLV_CONF), osRelease: contents('/etc/os-release'), network }
}

/** What cannot be read is said in its place: a bundle is asked for when something does not work. */
async function clusterSide(flags: GlobalFlags, signal: AbortSignal): Promise<object> {
  const findings: Finding[] = []
  for await (const finding of check(clusterOptions(flags), signal)) findings.push(finding)
  try {
    const cluster = await loadCluster(flags, signal)
    try {
      return { check: findings, cluster: await diagnostics(cluster, signal) }
    } finally {
      cluster.close()
    }
  } catch (error) {
    return { check: findings, cluster: { error: error instanceof Error ? error.message : String(error) } }
  }
}

function logs(): Record<string, string> {
  return Object.fromEntries(
    logFiles()
      .slice(-LOGS_MAX)
      .map(file => [basename(file), contents(file)])
  )
}

function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_MAX_BYTES)
  } catch (error) {
    return `(${(error as Error).message})`
  }
}
