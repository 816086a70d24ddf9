// The laptop's way to the API server, shut for a while.
import { kubectl } from '../../_support/kubectl.ts'
import { laptop } from '../../_support/laptop.ts'

/** What is sent to the API server is dropped, or answered with RST, which ends the connection. */
export const DROP = ['DROP']
export const RESET = ['REJECT', '--reject-with', 'tcp-reset']

let stopped: string[] | undefined

export async function stopAtServer(verdict: string[]): Promise<void> {
  const server = await kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'])
  stopped = ['OUTPUT', '-p', 'tcp', '--dport', new URL(server.trim()).port || '443', '-j', ...verdict]
  const { code, stderr } = await laptop('iptables', ['-w', '-I', ...stopped])
  if (code !== 0) throw new Error(stderr)
}

/** Open it again. */
export async function passAll(): Promise<void> {
  if (stopped !== undefined) await laptop('iptables', ['-w', '-D', ...stopped])
  stopped = undefined
}
