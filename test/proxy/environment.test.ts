// Variables for a shell: a real one reads them.
import { execFileSync } from 'node:child_process'
import test from 'ava'
import { proxyEnvironment, shellLines } from '../../lib/proxy/environment.ts'

const VARIABLES = proxyEnvironment({
  socks: '127.0.0.1:2223',
  http: '127.0.0.1:2224',
  direct: ['api.example', '127.0.0.1']
})

test('names are left to the proxy; the API server and this computer are not asked from it', t => {
  t.is(VARIABLES.ALL_PROXY, 'socks5h://127.0.0.1:2223')
  t.is(VARIABLES.http_proxy, 'http://127.0.0.1:2224')
  t.is(VARIABLES.NO_PROXY, 'localhost,127.0.0.1,::1,api.example')
  t.is(VARIABLES.no_proxy, VARIABLES.NO_PROXY)
})

test('sh sets and unsets them, whatever is in them', t => {
  const odd = { ODD: `a'b"c$d\\e f` }
  const run = (lines: string[], word: string): string =>
    execFileSync('sh', ['-c', `${lines.join('\n')}\nprintf %s "$${word}"`], { encoding: 'utf8' })
  t.is(run(shellLines(odd, 'sh'), 'ODD'), odd.ODD)
  t.is(run([...shellLines(odd, 'sh'), ...shellLines(odd, 'sh', true)], 'ODD'), '')
  t.is(run(shellLines(VARIABLES, 'sh'), 'all_proxy'), 'socks5h://127.0.0.1:2223')
})

test('fish and PowerShell have their own words', t => {
  t.deepEqual(shellLines({ A: `it's` }, 'fish'), [`set -gx A 'it\\'s'`])
  t.deepEqual(shellLines({ A: `it's` }, 'powershell'), [`$env:A = 'it''s'`])
  t.deepEqual(shellLines({ A: '' }, 'fish', true), ['set -e A'])
})
