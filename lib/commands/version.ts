// `kt version`: the client, the agent it brings along, the running sessions, the cluster.
import { createHash } from 'node:crypto'
import { Command } from 'commander'
import { loadCluster } from '../kube/api/client.ts'
import { serverVersion } from '../kube/api/server-version.ts'
import { agentSource } from '../kube/shadow/agent-source.ts'
import { sessions } from '../session/registry.ts'
import { version } from '../version.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

interface VersionFlags extends GlobalFlags {
  client?: boolean
}

export function versionCommand(): Command {
  return new Command('version')
    .description('print the versions of client, agent and API server')
    .option('--client', 'do not ask the API server')
    .addHelpText('after', '\nExamples:\n  kt version\n  kt version --client --output json')
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<VersionFlags>()
      const agent = createHash('sha256')
        .update(await agentSource())
        .digest('hex')
        .slice(0, 12)
      const running = sessions().map(s => ({ pid: s.pid, command: s.command, version: s.version }))
      const server = flags.client ? null : await askServer(flags)
      const value = { client: version, agent, node: process.versions.node, server, sessions: running }
      const lines = [
        `client  ${version} (Node ${process.versions.node}, ${process.platform} ${process.arch})`,
        `agent   ${agent}`,
        ...(flags.client ? [] : [`server  ${server?.version ?? `unknown: ${server?.error}`}`]),
        ...running.map(s => `running ${s.version}: kt ${s.command}, process ${s.pid}`)
      ]
      print(flags.output, value, `${lines.join('\n')}\n`)
    })
}

/** A cluster that cannot be asked does not make our own version a secret. */
async function askServer(flags: VersionFlags): Promise<{ version: string | null; error: string | null }> {
  try {
    const cluster = await loadCluster({ ...flags, namespace: 'default' })
    try {
      return { version: (await serverVersion(cluster)).gitVersion, error: null }
    } finally {
      cluster.close()
    }
  } catch (error) {
    return { version: null, error: error instanceof Error ? error.message : String(error) }
  }
}
