// The whole program where only the name of the system is another one, up to the first contact with a cluster.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Finding } from '../../lib/check/finding.ts'

const RUN = join(import.meta.dirname, '_elsewhere-run.ts')
const ELSEWHERE = new URL('./_elsewhere.mjs', import.meta.url).href
/** Nobody listens there. */
const NOWHERE = `apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{ name: nowhere, cluster: { server: 'https://127.0.0.1:1' } }]
contexts: [{ name: nowhere, context: { cluster: nowhere, user: nobody } }]
users: [{ name: nobody, user: { token: none } }]
`
const EXPOSE = ['--expose', '3000:80', '--skipPortChecking']
/** They need a cluster, and nothing of the system. */
const ANYWHERE = [
  ['up', '--socks', '1080', '--http', '8888', '-n', 'demo'],
  ['exchange', 'shop', ...EXPOSE],
  ['mesh', 'shop', ...EXPOSE],
  ['preview', 'shop', ...EXPOSE],
  ['forward', 'shop', '18080:80'],
  ['recover', 'shop']
]

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** What each has said, and what is kept in the home directory. */
function kt(platform: string, lines: string[][]): { ended: Ended[]; kept: string[] } {
  const home = mkdtempSync(join(tmpdir(), 'kt-elsewhere-'))
  try {
    writeFileSync(join(home, 'config'), NOWHERE)
    const { KT_HOME: _, ...inherited } = process.env
    const places = { HOME: home, LOCALAPPDATA: home, KUBECONFIG: join(home, 'config') }
    const stdout = execFileSync(process.execPath, ['--import', ELSEWHERE, RUN, JSON.stringify(lines)], {
      encoding: 'utf8',
      env: { ...inherited, ...places, KT_TEST_PLATFORM: platform },
      timeout: 120_000
    })
    return { ended: JSON.parse(stdout) as Ended[], kept: readdirSync(home).sort() }
  } finally {
    rmSync(home, { recursive: true })
  }
}

for (const [platform, name] of [
  ['darwin', 'macOS'],
  ['win32', 'Windows']
] as const) {
  test(`${name}: what needs no device comes as far as the cluster; what does is told about`, t => {
    const { ended, kept } = kt(platform, [
      ['--help'],
      ['check', '--output', 'json'],
      ['shell'],
      ['up'],
      ...ANYWHERE.map(words => [...words, '--output', 'json'])
    ])
    const [help, check, shell, up, ...others] = ended
    t.deepEqual(kept, platform === 'win32' ? ['config', 'kt'] : ['.kt', 'config'])
    t.like(help, { code: 0 })
    t.regex(help?.stdout ?? '', /Usage: kt/)

    const { findings } = JSON.parse(check?.stdout ?? '') as { findings: Finding[] }
    t.like(
      findings.find(each => each.check === 'system'),
      { verdict: 'warning', text: `${name} ${process.arch}: kt up is written for it, not yet run on real hardware` }
    )
    t.deepEqual(
      findings.map(each => each.check),
      ['node', 'system', 'rights', 'tun', 'resolver', 'running', 'vpn', 'leftovers', 'kubeconfig', 'api-server']
    )

    t.is(shell?.code, 3)
    t.regex(shell?.stderr ?? '', /kt shell does not run on/)

    // macOS asks root alone; Windows asks PowerShell, which is not here.
    t.is(up?.code, platform === 'darwin' && process.getuid?.() === 0 ? 4 : 3, up?.stderr)

    for (const [i, { code, stdout, stderr }] of others.entries()) {
      t.is(code, 4, `${ANYWHERE[i]?.join(' ')}: ${stdout}${stderr}`)
      t.regex(stdout + stderr, /KT_API_UNREACHABLE/)
    }
  })
}

test('FreeBSD: kt up is refused at once, with what works there', t => {
  const [up, check] = kt('freebsd', [['up'], ['check', '--output', 'json']]).ended
  t.is(up?.code, 3)
  t.regex(up?.stderr ?? '', /kt up does not run on freebsd\n.*--socks/)
  const { findings } = JSON.parse(check?.stdout ?? '') as { findings: Finding[] }
  t.like(
    findings.find(each => each.check === 'system'),
    { verdict: 'fault', text: 'kt up does not run on freebsd' }
  )
})
