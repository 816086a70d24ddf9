// --via: the API server's address is one that only the jump host can use, Debian's sshd on the machine of the control plane.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { SessionStatus } from '../../../lib/session/status.ts'
import { inCluster } from '../_support/demo.ts'
import { imageArguments, KT, kt, READY_LINE, startCommand } from '../_support/kt.ts'
import { builtIn, laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { knownBytes, sha256 } from '../up/_support/known-bytes.ts'
import { besideDoors, doors } from './_support/doors.ts'
import { type JumpGround, layJumpGround, PORT, STRICT_PORT } from './_support/jump-ground.ts'
import { USER } from './_support/sshd.ts'

const MEBIBYTES = 24
/** On the laptop. */
const SERVED = 18_105
let ground: JumpGround | undefined

test.before(async () => {
  if (builtIn) ground = await layJumpGround()
})
test.after.always(() => ground?.remove())

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kt([...args, '-n', 'demo'], { env: ground!.env })
  return `${code} ${(stderr || stdout).split('\n')[0]}`
}

const onBuiltIn = builtIn ? test.serial : test.serial.skip

onBuiltIn('the server is out of reach without it; a request goes by it', async t => {
  t.regex(await said('birdseye'), /^4 kt: cannot reach the API server at https:\/\/127\.0\.0\.1:6443: .*ECONNREFUSED/)
  t.regex(await said('birdseye', '--via', 'work'), /^0 /)
})

onBuiltIn('an unknown host key, a refused key and refused forwarding are one line each', async t => {
  const host = (port: number): string => `ssh://${USER}@${ground!.sshd.address}:${port}`
  t.regex(
    await said('birdseye', '--via', 'unknown'),
    new RegExp(`^4 kt: the jump host ${host(PORT)} is not known: its host key is ssh-ed25519 SHA256:`)
  )
  t.is(
    await said('birdseye', '--via', 'stranger'),
    `4 kt: the jump host ${host(PORT)} does not let ${USER} in with the keys of this computer: none of them`
  )
  t.is(
    await said('birdseye', '--via', 'strict'),
    `4 kt: the jump host ${host(STRICT_PORT)} may not open connections to 127.0.0.1:6443`
  )
  t.is(await said('birdseye', '--via', 'http://work'), '2 kt: --via: "http://work" is no jump host')
})

onBuiltIn('what cannot go by a pod of its own refuses --carrier ssh before it looks for anything', async t => {
  const flags = ['--mode', 'ephemeral', '--expose', '80', '--carrier', 'ssh', '--via', 'work']
  const refused = '2 kt: --carrier ssh is for a pod of its own, which --mode ephemeral has not'
  t.is(await said('exchange', 'pod/no-such', ...flags), refused)
})

onBuiltIn('completion goes by the jump host that is configured', async t => {
  const env = { ...ground!.env, KT_HOME: join(ground!.home, 'configured') }
  t.is((await kt(['config', 'set', 'global.via', 'work'], { env })).code, 0)
  // It gives up after two seconds, which a busy machine may need.
  const offered = async (): Promise<string> => (await kt(['__complete', '--', 'exchange', 'node-ec'], { env })).stdout
  t.is(await eventually('node-echo\tservice\n', 20_000, offered), 'node-echo\tservice\n')
})

onBuiltIn('kt up by it: open connections go on when the ssh connection is lost', async t => {
  const { env, sshd } = ground!
  const running = await startCommand(['up', '--socks', '-n', 'demo', '--via', 'work'], READY_LINE, { env })
  try {
    const url = `http://node-echo/random?mb=${MEBIBYTES}&seed=jump`
    const get = `curl -sS --max-time 60 -x socks5h://127.0.0.1:2223 --limit-rate 8M '${url}' | sha256sum`
    const download = laptop('sh', ['-c', get])
    await new Promise(resolve => setTimeout(resolve, 1_000))
    await sshd.cut()
    const { stdout, stderr } = await download
    t.is(stdout.split(' ')[0], sha256(knownBytes(MEBIBYTES, 'jump')), stderr)
    const rows = JSON.parse((await kt(['status', '--output', 'json'], { env })).stdout) as { status: SessionStatus }[]
    const events = rows[0]!.status.carriers.map(({ event }) => event)
    t.deepEqual([events[0], events.at(-1), events.includes('restarted')], ['connected', 'resumed', false])
  } finally {
    t.is((await running.stop()).code, 0)
  }
})

onBuiltIn('kt shell by it, with --carrier ssh: a program has the cluster on its network', async t => {
  const script = `curl -sS -o /dev/null --max-time 20 -w '%{http_code}\\n' http://nginx.demo; read -r _`
  const flags = ['shell', '-n', 'demo', '--via', 'work', '--carrier', 'ssh', ...imageArguments()]
  const { lines, stderr, isDoor } = await besideDoors([KT, ...flags, '--', 'sh', '-c', script], { env: ground!.env })
  t.deepEqual([lines, isDoor], [['200'], true], stderr)
})

onBuiltIn('a program with the library by it, with its carrier: ssh; afterwards nothing keeps it', async t => {
  const program = join(import.meta.dirname, 'peers/library.peer.ts')
  const words = [program, imageArguments()[1] ?? '']
  const { code, lines, stderr, isDoor } = await besideDoors(words, { env: ground!.env })
  const [found = '', exitMs] = lines
  t.deepEqual([code, isDoor], [0, true], stderr)
  t.deepEqual(JSON.parse(found), { without: 'KT_API_UNREACHABLE', strict: 'KT_JUMP_HOST', status: 200 })
  t.true(Number(exitMs) < 1_000, `the process ended ${exitMs} ms after the connection was closed`)
})

onBuiltIn('kt apply and kt exchange by it: callers in the cluster come to the laptop', async t => {
  const { env, home } = ground!
  const program = `require('node:http').createServer((_, s) => s.end('from here')).listen(${SERVED}, '127.0.0.1', () => console.log())`
  const server = spawnOnLaptop(process.execPath, ['-e', program])
  t.teardown(() => server.kill())
  await once(server.stdout, 'data')
  const file = join(home, '.kt.yaml')
  writeFileSync(file, `exchange: [{ target: node-echo, expose: "${SERVED}:80", carrier: ssh }]\n`)
  const before = await doors()
  const line = "Now all request to service 'node-echo' will be redirected to local"
  const running = await startCommand(['apply', file, '-n', 'demo', '--via', 'work'], line, { env })
  try {
    const ask = (): Promise<string> => inCluster('curl -sS --max-time 5 http://node-echo/').catch(String)
    t.is(await eventually('from here', 10_000, ask), 'from here')
    t.true((await doors()).some(name => !before.includes(name)))
  } finally {
    t.is((await running.stop()).code, 0)
  }
})
