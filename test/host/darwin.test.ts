// The suite of every system, on a Mac whose programs are played by their manual pages. What only a Mac can show is not shown here.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { openJournal } from '../../lib/host/journal.ts'
import { laptopUpstreams, pointResolver } from '../../lib/host/resolver-darwin.ts'
import { addRoutes, configureDevice, localNetworks, removeRoutes } from '../../lib/host/routes-darwin.ts'
import { NETWORK_CASES, RESOLVER_CASES } from '../compliance/host.ts'
import { Mac } from './_mac.ts'

const DEVICE = 'utun7'

for (const [name, run] of Object.entries(NETWORK_CASES)) {
  test(`macOS: ${name}`, async t => {
    const mac = new Mac()
    await t.notThrowsAsync(
      run({
        device: DEVICE,
        configureDevice: (device, setup) => configureDevice(device, setup, mac),
        addRoutes: (device, cidrs) => addRoutes(device, cidrs, mac),
        removeRoutes: (device, cidrs) => removeRoutes(device, cidrs, mac),
        localNetworks: except => localNetworks(except, mac),
        shown: () => mac.shown(DEVICE),
        foreign: cidr => mac.foreign(cidr),
        lose: () => mac.lose(DEVICE)
      })
    )
  })
}

for (const [name, run] of Object.entries(RESOLVER_CASES)) {
  test(`macOS: ${name}`, async t => {
    const mac = new Mac()
    await t.notThrowsAsync(
      run({
        pointResolver: options => pointResolver(options, mac),
        laptopUpstreams: () => laptopUpstreams(mac),
        snapshot: () => mac.snapshot(),
        asked: full => mac.asked(full),
        search: () => mac.search(),
        everything: false
      })
    )
  })
}

test('macOS: a file of somebody else for the same domain comes back; one of an earlier kt does not', async t => {
  const mac = new Mac()
  const path = join(mac.directory, 'cluster.local')
  mkdirSync(mac.directory)
  writeFileSync(path, 'nameserver 10.8.0.1\n')
  const journal = openJournal(mac.directory.replace(/resolver$/, ''))
  const options = { device: DEVICE, server: '198.18.0.2', domain: 'cluster.local', namespace: 'demo', journal }
  const first = await pointResolver(options, mac)
  t.regex(readFileSync(path, 'utf8'), /^# kt: .*\nnameserver 198\.18\.0\.2\n$/)
  const ours = readFileSync(path, 'utf8')
  await first.restore()
  t.is(readFileSync(path, 'utf8'), 'nameserver 10.8.0.1\n')
  t.true(mac.flushed >= 2)

  writeFileSync(path, ours)
  await (await pointResolver(options, mac)).restore()
  t.deepEqual(mac.snapshot(), '[]')
})

test('macOS: what somebody changes meanwhile is his', async t => {
  const mac = new Mac()
  const journal = openJournal(mac.directory.replace(/resolver$/, ''))
  const options = { device: DEVICE, server: '198.18.0.2', domain: 'cluster.local', namespace: 'demo', journal }
  const pointed = await pointResolver(options, mac)
  writeFileSync(join(mac.directory, 'svc'), 'nameserver 10.8.0.1\n')
  await pointed.restore()
  t.is(mac.snapshot(), '[["svc","nameserver 10.8.0.1\\n"]]')
})

test('macOS: a domain that is no name of a file is left out', async t => {
  const mac = new Mac()
  const journal = openJournal(mac.directory.replace(/resolver$/, ''))
  const options = { device: DEVICE, server: '198.18.0.2', domain: 'cluster.local', namespace: 'demo', journal }
  const pointed = await pointResolver({ ...options, domains: ['../../passwd', '..', '', 'a/b', '.x'] }, mac)
  const files = (JSON.parse(mac.snapshot()) as [string, string][]).map(([name]) => name)
  t.deepEqual(files, ['cluster.local', 'demo', 'pod', 'search.kt', 'svc'])
  await pointed.restore()
})
