// kt capture: a file that tshark and tcpdump open, with the names of the cluster; kt bundle beside it.
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { imageArguments, KT, kt, type RunningKt, startKt } from '../_support/kt.ts'
import { collect, spawnOnLaptop } from '../_support/laptop.ts'
import { program, succeed } from '../up/_support/program.ts'
import { needPackages } from './_support/packages.ts'

const FILE = join(mkdtempSync(join(tmpdir(), 'kt-capture-')), 'web.pcapng')
let up: RunningKt

test.before(async () => {
  await kt(['down'])
  await needPackages('tshark', 'tcpdump')
  up = await startKt(['-n', 'demo'])
})

test.after.always(async () => {
  await up?.stop()
})

test.serial('a capture with a filter by name, while it runs and nothing else', async t => {
  const child = spawnOnLaptop(process.execPath, [KT, 'capture', '-w', FILE, 'host', 'nginx.demo', 'and', 'tcp'])
  const stderr = collect(child.stderr)
  await once(child.stderr, 'data')
  t.regex(stderr(), /^Capturing into /)
  await program('curl', '-sS', '-o', '/dev/null', 'http://nginx/')
  await program('curl', '-sS', '-o', '/dev/null', 'http://web:8080/')
  child.kill('SIGINT')
  t.deepEqual(await once(child, 'exit'), [0, null])
  const fields = [
    '-T',
    'fields',
    '-E',
    'separator=|',
    '-e',
    'tcp.dstport',
    '-e',
    'frame.comment',
    '-e',
    'ip.dst_host',
    '-e',
    'http.request.method'
  ]
  const lines = (await program('tshark', '-r', FILE, '-N', 'n', ...fields)).trim().split('\n')
  t.true(lines.length >= 8, lines.join('\n'))
  t.true(
    lines.every(line => line.includes('nginx.demo.svc.cluster.local:80')),
    lines.join('\n')
  )
  t.true(
    lines.some(line => /^80\|.*\|nginx\.demo\.svc\.cluster\.local\|GET$/.test(line)),
    lines.join('\n')
  )
  const dump = await program('tcpdump', '-nr', FILE)
  t.regex(dump, /IP 198\.18\.0\.1\.\d+ > 10\.96\.\d+\.\d+\.80: Flags \[S\]/)
})

test.serial('to a pipe; a wrong filter; no kt up', async t => {
  const child = spawnOnLaptop(process.execPath, [KT, 'capture', '-w', '-', 'port', '53'])
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child.stderr, 'data')
  await program('curl', '-sS', '-o', '/dev/null', 'http://nginx/')
  child.kill('SIGINT')
  await once(child, 'close')
  const dump = await succeed({ input: Buffer.concat(chunks) }, 'tcpdump', '-nr', '-')
  t.regex(dump, /198\.18\.0\.2\.53/)
  t.notRegex(dump, /\.80:/)
  const wrong = await kt(['capture', '-w', '-', 'host'])
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /the filter "host" cannot be read: a host is missing/)
  t.is((await kt(['capture', '-w', '/nonexistent/x'])).code, 2)
})

test.serial('kt bundle: both sides, and no secret', async t => {
  const file = join(FILE, '../bundle.yaml')
  t.is((await kt(['bundle', '-n', 'demo', '--file', file, ...imageArguments()])).code, 0)
  const text = readFileSync(file, 'utf8')
  for (const part of ['kt:', 'laptop:', 'check:', 'cluster:', 'logs:']) t.regex(text, new RegExp(`^${part}`, 'm'))
  t.regex(text, /name: kt-connect-shadow-/)
  t.regex(text, /nameserver 198\.18\.0\.2/)
  t.notRegex(text, /PRIVATE KEY|eyJ[\w-]+\.|client-key-data: (?!\[removed\])/)
})
