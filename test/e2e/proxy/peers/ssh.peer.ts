// An ssh server on this laptop, which the cluster knows as a service, and OpenSSH that reaches that through the proxy.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'
import { sshKeyPair } from '../../../../lib/ssh/key-pair.ts'
import { eventually } from '../../up/_support/eventually.ts'

const [proxy = '', service = '', port = ''] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'kt-ssh-'))
const { private: hostKey } = sshKeyPair()
const { private: userKey, public: publicKey } = sshKeyPair()
writeFileSync(join(folder, 'key'), userKey, { mode: 0o600 })

const server = new ssh2.Server({ hostKeys: [hostKey] }, client => {
  client.on('error', () => {})
  client.on('authentication', context => {
    const known = ssh2.utils.parseKey(publicKey)
    if (context.method !== 'publickey' || known instanceof Error || !context.key.data.equals(known.getPublicSSH()))
      return context.reject(['publickey'])
    context.accept()
  })
  client.on('session', accept => {
    accept().on('exec', (acceptExec, _, { command }) => {
      const channel = acceptExec()
      channel.write(`ran: ${command}`)
      channel.exit(0)
      channel.end()
    })
  })
})
server.listen(Number(port), '127.0.0.1')
await once(server, 'listening')

const results: Record<string, string> = {}
for (const protocol of ['5', 'connect']) {
  const run = promisify(execFile)
  const words = [
    ...['-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(folder, 'known')}`],
    ...['-o', `ProxyCommand=nc -X ${protocol} -x ${proxy} %h %p`, '-i', join(folder, 'key'), '-l', 'somebody'],
    ...[service, 'true']
  ]
  // The port in the cluster opens when kt sees that somebody listens here.
  results[protocol] = await eventually('ran: true', 10_000, () =>
    run('ssh', words).then(
      ({ stdout }) => stdout,
      (error: Error) => error.message
    )
  )
}
console.log(JSON.stringify(results))
server.close()
