// In a process of its own, whose memory is only what this test makes of it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'

const onLinux = process.platform === 'linux' ? test : test.skip
const LIBC = new URL('../../lib/tun/libc.ts', import.meta.url)

/** Prints by how many kB the process is smaller when 20 MiB in blocks have been freed, between which other things stay. */
const PROGRAM = `
  import { readFileSync } from 'node:fs'
  import { loadLibc } from '${LIBC.href}'
  await loadLibc()
  const resident = () => Number(/^RssAnon:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))[1])
  const staying = []
  const blocks = Array.from({ length: 320 }, () => {
    staying.push(Buffer.allocUnsafeSlow(3000).fill(1))
    return new Uint8Array(65_536).fill(1)
  })
  const full = resident()
  for (const { buffer } of blocks) buffer.transfer(0)
  console.log(full - resident())
`

onLinux('memory that is freed is given back to the system', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', PROGRAM])
  t.true(Number(stdout) > 15_000, stdout)
})
