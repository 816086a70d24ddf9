// The suite of every system, on a Windows whose cmdlets are played by their documents. What only Windows can show is not shown here.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isAdministrator, powershell, quote } from '../../lib/host/powershell.ts'
import { laptopUpstreams, pointResolver } from '../../lib/host/resolver-windows.ts'
import {
  addRoutes,
  addRoutesFirst,
  configureDevice,
  localNetworks,
  removeRoutes
} from '../../lib/host/routes-windows.ts'
import type { RunOptions } from '../../lib/host/run.ts'
import { findWintun, wintunPaths } from '../../lib/host/wintun-library.ts'
import { NETWORK_CASES, RESOLVER_CASES } from '../compliance/host.ts'
import { Windows } from './_windows.ts'

const DEVICE = 'kt0'

for (const [name, run] of Object.entries(NETWORK_CASES)) {
  test(`Windows: ${name}`, async t => {
    const windows = new Windows()
    await t.notThrowsAsync(
      run({
        device: DEVICE,
        configureDevice: (device, setup) => configureDevice(device, setup, windows),
        addRoutes: (device, cidrs) => addRoutes(device, cidrs, windows),
        removeRoutes: (device, cidrs) => removeRoutes(device, cidrs, windows),
        localNetworks: except => localNetworks(except, windows),
        shown: () => ({
          addresses: windows.state.adapters[DEVICE]?.addresses ?? [],
          mtu: windows.state.adapters[DEVICE]?.mtu ?? 0,
          routes: windows.state.routes
            .filter(({ InterfaceAlias }) => InterfaceAlias === DEVICE)
            .map(({ DestinationPrefix }) => DestinationPrefix)
        }),
        foreign: cidr => windows.foreign(cidr),
        lose: () => windows.lose(DEVICE)
      })
    )
  })
}

test('Windows: with --allowConflict the range of somebody else is ours as well', async t => {
  const windows = new Windows()
  windows.foreign('10.96.0.0/16')
  await addRoutesFirst(DEVICE, ['10.96.0.0/16'], windows)
  t.is(windows.state.routes.filter(({ DestinationPrefix }) => DestinationPrefix === '10.96.0.0/16').length, 2)
})

// What undoes a journal starts PowerShell as a program: one that plays Windows lies where Windows has it.
const root = mkdtempSync(join(tmpdir(), 'kt-windows-'))
const stateFile = join(root, 'state.json')
mkdirSync(join(root, 'System32'))
const player = new URL('./_powershell.ts', import.meta.url).pathname
writeFileSync(
  join(root, 'System32', 'WindowsPowerShell\\v1.0\\powershell.exe'),
  `#!/bin/sh\nKT_TEST_WINDOWS=${stateFile} exec '${process.execPath}' '${player}' "$@"\n`,
  { mode: 0o755 }
)

for (const [name, run] of Object.entries(RESOLVER_CASES)) {
  test.serial(`Windows: ${name}`, async t => {
    const before = process.env.SystemRoot
    process.env.SystemRoot = root
    t.teardown(() => {
      if (before === undefined) delete process.env.SystemRoot
      else process.env.SystemRoot = before
    })
    writeFileSync(stateFile, JSON.stringify(new Windows().state))
    const now = (): Windows => new Windows(JSON.parse(readFileSync(stateFile, 'utf8')))
    // The same Windows, without a process for each call.
    const inside = {
      async run(program: string, args: readonly string[], options?: RunOptions) {
        const windows = now()
        const result = await windows.run(program.replace(root, 'C:\\Windows'), args, options)
        writeFileSync(stateFile, JSON.stringify(windows.state))
        return result
      }
    }
    await t.notThrowsAsync(
      run({
        pointResolver: options => pointResolver(options, inside),
        laptopUpstreams: () => laptopUpstreams(inside),
        snapshot: () => JSON.stringify(now().state.rules),
        asked: full => now().asked(full),
        search: () => [now().state.adapters[DEVICE]?.suffix ?? ''],
        everything: false
      })
    )
  })
}

test('Windows: what PowerShell is given is taken literally', async t => {
  const odd = "a'b‘c’d; Remove-NetRoute | $x `n"
  const windows = new Windows()
  t.is(
    (await powershell([`Set-DnsClient -InterfaceAlias 'kt0' -ConnectionSpecificSuffix ${quote(odd)}`], windows)).ok,
    true
  )
  t.is(windows.state.adapters[DEVICE]?.suffix, odd)
})

test('Windows: after a statement that fails none is run', async t => {
  const windows = new Windows()
  const { ok, stderr } = await powershell(["New-NetRoute -InterfaceAlias 'kt0'", 'Clear-DnsClientCache'], windows)
  t.false(ok)
  t.regex(stderr, /mandatory/)
})

test('Windows: who is an administrator', async t => {
  const windows = new Windows()
  t.true(await isAdministrator(windows))
  windows.state.administrator = false
  t.false(await isAdministrator(windows))
})

test.serial('Windows: wintun.dll is found by its path, and taken with the signature of its makers alone', async t => {
  const path = join(root, 'wintun.dll')
  process.env.KT_WINTUN = path
  t.teardown(() => delete process.env.KT_WINTUN)
  const windows = new Windows()
  await t.throwsAsync(findWintun(windows), { code: 'KT_NO_TUN', message: /is not on this computer/ })
  writeFileSync(path, '')
  await t.throwsAsync(findWintun(windows), { code: 'KT_NO_TUN', message: /is not signed by WireGuard LLC: NotSigned$/ })
  windows.state.signatures[path] = { status: 'Valid', subject: 'CN=Somebody, O=WireGuard LLC Fans, C=US' }
  await t.throwsAsync(findWintun(windows), { code: 'KT_NO_TUN' })
  windows.state.signatures[path] = { status: 'HashMismatch', subject: 'CN="WireGuard LLC", O="WireGuard LLC", C=US' }
  await t.throwsAsync(findWintun(windows), { code: 'KT_NO_TUN', message: /HashMismatch$/ })
  windows.state.signatures[path] = { status: 'Valid', subject: 'CN="WireGuard LLC", O="WireGuard LLC", C=US' }
  t.is(await findWintun(windows), path)
  process.env.KT_WINTUN = 'wintun.dll'
  await t.throwsAsync(findWintun(windows), { code: 'KT_NO_TUN' }, 'no relative path')
  delete process.env.KT_WINTUN
  t.is(wintunPaths().length, 3)
})
