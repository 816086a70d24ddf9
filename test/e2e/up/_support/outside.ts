// An address outside of the cluster's ranges that pods reach and the laptop does not: an echo server beside the control plane.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existingCluster } from '../../../cluster/existing.ts'
import { run } from '../../../cluster/run.ts'
import { cacheDirectory } from '../../../cluster/settings.ts'
import { CLUSTERS } from '../../_support/areas.ts'

const ECHO = `require('net').createServer({ allowHalfOpen: true }, s => s.on('error', () => {}).pipe(s)).listen(7000, () => console.log('listens'))`

/** Give the control plane's namespace these addresses and an echo server on TCP 7000; the result takes them away again. */
export async function startOutside(addresses: readonly string[]): Promise<() => Promise<void>> {
  const { controlPlane } = existingCluster(CLUSTERS.main.id, cacheDirectory(process.env))
  const change = async (verb: 'add' | 'del'): Promise<void> => {
    for (const address of addresses) await run('ip', ['-n', controlPlane, 'addr', verb, `${address}/32`, 'dev', 'lo'])
  }
  await change('add')
  const server: ChildProcess = spawn('nsenter', [`--net=/run/netns/${controlPlane}`, process.execPath, '-e', ECHO], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  await Promise.race([once(server.stdout!, 'data'), once(server, 'exit')])
  return async () => {
    const ended = once(server, 'exit')
    if (server.exitCode === null && server.kill()) await ended
    await change('del')
  }
}
