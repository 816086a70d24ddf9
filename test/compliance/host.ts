// One suite for every system's network and resolver. Its cases are plain functions, since Linux is a process inside a namespace.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openJournal, recoverJournals } from '../../lib/host/journal.ts'
import type { PointedResolver, PointResolverOptions } from '../../lib/host/resolver-linux.ts'
import type { DeviceSetup, LocalNetworks } from '../../lib/host/routes-linux.ts'

/** A laptop with `192.168.7.9/24` and the gateway `192.168.7.1` on a card of its own, and a device of ours that is not configured. */
export interface NetworkRig {
  device: string
  configureDevice(device: string, setup: DeviceSetup): Promise<void>
  addRoutes(device: string, cidrs: readonly string[]): Promise<void>
  removeRoutes(device: string, cidrs: readonly string[]): Promise<void>
  localNetworks(except?: string): Promise<LocalNetworks>
  /** What the system has on our device. */
  shown(): { addresses: string[]; mtu: number; routes: string[] }
  /** Somebody else routes the range; the name of his device. */
  foreign(cidr: string): string
  /** Our device goes. */
  lose(): void
}

const SETUP = { addresses: ['198.18.0.1/30', 'fd6b:7400::1/126'], mtu: 1400, txQueueLength: 5000 }
const ROUTES = ['10.96.0.0/16', '10.244.0.0/24', '10.244.9.9/32', 'fd00:10:96::/112']

export const NETWORK_CASES: Record<string, (rig: NetworkRig) => Promise<void>> = {
  async 'the device gets its addresses and MTU, and routes come and go'(rig) {
    const { device } = rig
    await rig.configureDevice(device, SETUP)
    const ours = (): string[] => rig.shown().routes.filter(cidr => ROUTES.includes(cidr))
    assert.deepEqual(rig.shown().addresses, SETUP.addresses)
    assert.equal(rig.shown().mtu, SETUP.mtu)
    await rig.addRoutes(device, ROUTES)
    assert.deepEqual(ours().sort(), [...ROUTES].sort())
    await rig.removeRoutes(device, ['10.244.0.0/24', 'fd00:10:96::/112'])
    assert.deepEqual(ours().sort(), ['10.244.9.9/32', '10.96.0.0/16'])
    await rig.removeRoutes(device, ROUTES)
    assert.deepEqual(ours(), [])
  },

  async 'a range that somebody else routes is refused by name, with advice'(rig) {
    await rig.configureDevice(rig.device, SETUP)
    rig.foreign('10.96.0.0/16')
    await assert.rejects(rig.addRoutes(rig.device, ['10.1.0.0/16', '10.96.0.0/16']), (error: Error) => {
      assert.equal('code' in error && error.code, 'KT_ROUTES')
      assert.match(error.message, /^a route cannot be set: .*10\.96\.0\.0\/16/)
      assert.match('hint' in error ? String(error.hint) : '', /--excludeIps/)
      return true
    })
  },

  async 'what the laptop and others have is read, and what is ours is not'(rig) {
    const other = rig.foreign('172.20.0.0/16')
    await rig.configureDevice(rig.device, SETUP)
    await rig.addRoutes(rig.device, ROUTES)
    const { subnets, gateways, routes } = await rig.localNetworks(rig.device)
    assert.deepEqual(routes, [{ cidr: '172.20.0.0/16', device: other, before: false }])
    assert.deepEqual(
      gateways.map(({ address }) => address),
      ['192.168.7.1']
    )
    assert.ok(subnets.some(({ cidr }) => cidr === '192.168.7.0/24'))
    assert.ok(subnets.every(({ device }) => device !== rig.device))
  },

  async 'a device that is gone cannot be configured, and its routes are gone'(rig) {
    await rig.configureDevice(rig.device, SETUP)
    await rig.addRoutes(rig.device, ROUTES)
    rig.lose()
    await rig.removeRoutes(rig.device, ROUTES)
    await assert.rejects(rig.configureDevice(rig.device, SETUP), { code: 'KT_ROUTES' })
  }
}

/** A laptop whose names are answered by `192.0.2.53`. */
export interface ResolverRig {
  pointResolver(options: PointResolverOptions): Promise<PointedResolver>
  laptopUpstreams(): Promise<string[]>
  /** Everything that decides about names, as text. */
  snapshot(): string
  /** Who is asked first for this full name. */
  asked(name: string): string
  /** Domains that are tried behind a name of one label. */
  search(): string[]
  /** True where the system asks us for every name. */
  everything: boolean
}

const POINT = {
  device: 'kt0',
  server: '198.18.0.2',
  domain: 'cluster.local',
  namespace: 'demo',
  ranges: ['10.96.0.0/16'],
  domains: ['corp.internal']
}
const OURS = [
  'nginx.demo.svc.cluster.local',
  'nginx.demo.svc',
  'nginx.demo',
  'git.corp.internal',
  '7.0.96.10.in-addr.arpa'
]

async function pointed(rig: ResolverRig, f: (now: PointedResolver, journals: string) => Promise<void>): Promise<void> {
  const journals = mkdtempSync(join(tmpdir(), 'kt-journals-'))
  const journal = openJournal(journals)
  try {
    await f(await rig.pointResolver({ ...POINT, journal }), journals)
  } finally {
    journal.close()
    rmSync(journals, { recursive: true })
  }
}

/** The journals as a process that is dead has left them. */
function ofTheDead(journals: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'kt-dead-'))
  cpSync(journals, copy, { recursive: true })
  for (const name of readdirSync(copy)) {
    const text = readFileSync(join(copy, name), 'utf8')
    writeFileSync(join(copy, name), text.replace(/"pid":\d+/, '"pid":999999999'))
  }
  return copy
}

export const RESOLVER_CASES: Record<string, (rig: ResolverRig) => Promise<void>> = {
  async 'names of the cluster lead to us, all others where they did; all of it is put back'(rig) {
    const before = rig.snapshot()
    assert.deepEqual(await rig.laptopUpstreams(), ['192.0.2.53'])
    await pointed(rig, async now => {
      assert.deepEqual(now.upstreams, ['192.0.2.53'])
      for (const name of OURS) assert.equal(rig.asked(name), POINT.server, name)
      for (const name of ['example.com', 'shop.pay'])
        assert.equal(rig.asked(name), rig.everything ? POINT.server : '192.0.2.53', name)
      assert.ok(rig.search().includes('demo.svc.cluster.local'))
      await now.restore()
      assert.equal(rig.snapshot(), before)
      await now.restore()
    })
    assert.equal(rig.snapshot(), before)
  },

  async 'namespaces that come are ours from then on'(rig) {
    const before = rig.snapshot()
    await pointed(rig, async now => {
      await now.update({ namespaces: ['pay'], ranges: POINT.ranges })
      await now.update({ namespaces: ['pay'], ranges: POINT.ranges })
      assert.equal(rig.asked('shop.pay'), POINT.server)
      assert.equal(rig.asked('nginx.demo'), POINT.server)
      await now.restore()
    })
    assert.equal(rig.snapshot(), before)
  },

  async 'what a dead process has left is put back by the next, once'(rig) {
    const before = rig.snapshot()
    await pointed(rig, async (now, journals) => {
      await now.update({ namespaces: ['pay'], ranges: POINT.ranges })
      const dead = ofTheDead(journals)
      assert.notEqual(rig.snapshot(), before)
      assert.equal((await recoverJournals(dead)).length > 0, true)
      assert.equal(rig.snapshot(), before)
      assert.deepEqual(await recoverJournals(dead), [])
      assert.deepEqual(readdirSync(dead), [])
      await now.restore()
    })
    assert.equal(rig.snapshot(), before)
  }
}
