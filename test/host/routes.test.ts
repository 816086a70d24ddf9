// The real `ip` on a laptop of its own.
import test from 'ava'
import { laptop } from './_laptop.ts'

const SETUP = { addresses: ['198.18.0.1/30', 'fd6b:7400::1/126'], mtu: 1500, txQueueLength: 5000 }
const TUN = 'ip tuntap add dev kt0 mode tun'
const ROUTES = ['10.96.0.0/16', '10.244.0.0/24', 'fd00:10:96::/112']

test('the device gets its addresses, MTU and queue, is up, and routes come and go', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker, namespace } = at
  await worker.call('shell', TUN)
  t.true(await worker.call('configure', SETUP))
  const [link] = JSON.parse(namespace.exec('ip', '-json', 'addr', 'show', 'dev', 'kt0'))
  t.like(link, { mtu: 1500, txqlen: 5000 })
  t.true(link.flags.includes('UP'))
  const addresses = link.addr_info.filter((a: { scope: string }) => a.scope === 'global')
  t.deepEqual(
    addresses.map((a: { local: string; prefixlen: number }) => `${a.local}/${a.prefixlen}`),
    SETUP.addresses
  )
  t.false('tentative' in addresses[1])

  await worker.call('add', ROUTES)
  const shown = () =>
    [...namespace.exec('ip', 'route').split('\n'), ...namespace.exec('ip', '-6', 'route').split('\n')]
      .map(line => line.split(' ')[0])
      .filter(cidr => ROUTES.includes(cidr ?? ''))
  t.deepEqual(shown(), ROUTES)
  await worker.call('remove', ['10.244.0.0/24', 'fd00:10:96::/112'])
  t.deepEqual(shown(), ['10.96.0.0/16'])
  await worker.call('remove', ROUTES)
  t.deepEqual(shown(), [])
  await worker.call('shell', 'ip link del kt0')
  await worker.call('remove', ROUTES)
})

test('ten thousand routes in one process', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker, namespace } = at
  await worker.call('shell', TUN)
  await worker.call('configure', SETUP)
  const routes = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
  const began = performance.now()
  await worker.call('add', routes)
  t.log(`${Math.round(performance.now() - began)} ms`)
  t.is(
    namespace
      .exec('ip', 'route')
      .split('\n')
      .filter(line => line.startsWith('10.')).length,
    10_000
  )
})

test('connections into the device are not paced where the system paces all; another congestion control stays', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker, namespace } = at
  const of = (control: string): Promise<unknown> =>
    worker.call('shell', `echo ${control} > /proc/sys/net/ipv4/tcp_congestion_control`)
  const added = async (): Promise<string[]> => {
    await worker.call('add', ROUTES)
    const shown = [4, 6].flatMap(family =>
      namespace.exec('ip', `-${family}`, 'route', 'show', 'dev', 'kt0').split('\n')
    )
    await worker.call('remove', ROUTES)
    return shown.filter(line => line.includes('congctl')).map(line => /congctl (\S+)/.exec(line)![1]!)
  }
  await worker.call('shell', TUN)
  await worker.call('configure', SETUP)
  await of('reno')
  t.deepEqual(await added(), [])
  try {
    await of('bbr')
  } catch {
    t.log('this kernel has no bbr')
    return
  }
  t.regex([...new Set(await added())].join(' '), /^(cubic|reno)$/)
})

test('a route that is there already is refused by name, with advice', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker } = at
  await worker.call('shell', `${TUN}; ip link add other type veth peer name other2; ip link set other up`)
  await worker.call('configure', SETUP)
  await worker.call('shell', 'ip route add 10.96.0.0/16 dev other')
  const error = await t.throwsAsync(worker.call('add', ['10.1.0.0/16', '10.96.0.0/16']))
  t.regex(error.message, /a route cannot be set: File exists \(ip route add 10\.96\.0\.0\/16 dev kt0( congctl \S+)?\)/)
})

test('a device that is not there, and an IPv6 that is switched off', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker } = at
  const error = await t.throwsAsync(worker.call('configure', SETUP))
  t.regex(error.message, /kt0 cannot be configured: Cannot find device/)
  await worker.call('shell', `${TUN}; echo 1 > /proc/sys/net/ipv6/conf/kt0/disable_ipv6`)
  t.false(await worker.call('configure', SETUP))
  await worker.call('add', ROUTES)
  await worker.call('remove', ROUTES)
})

test('what the laptop has: subnets, far ends, gateways, routes of others, and not our own device', async t => {
  const at = laptop(t)
  if (at === undefined) return
  const { worker } = at
  await worker.call(
    'shell',
    `
    ${TUN}; ip link set kt0 up; ip addr add 198.18.0.1/30 dev kt0; ip route add 10.96.0.0/16 dev kt0
    ip link add eth0 type veth peer name wire; ip link set eth0 up; ip link set wire up
    ip addr add 192.168.7.9/24 dev eth0; ip addr add fd12::9/64 dev eth0 nodad
    ip route add default via 192.168.7.1; ip -6 route add default via fd12::1
    ip tuntap add dev tun0 mode tun; ip link set tun0 up; ip addr add 10.8.0.2 peer 10.8.0.1/32 dev tun0
    ip route add 172.20.0.0/16 dev tun0
    ip route add 10.64.0.0/10 dev tun0 table 52; ip rule add priority 5270 lookup 52
    ip route add 10.128.0.0/9 dev tun0 table 77; ip rule add priority 5300 fwmark 7 lookup 77
    ip route add unreachable 10.200.0.0/16
    `
  )
  const { subnets, gateways, routes } = await worker.call<
    Awaited<ReturnType<typeof import('../../lib/host/routes-linux.ts').localNetworks>>
  >('networks', 'kt0')
  t.deepEqual(subnets, [
    { cidr: '192.168.7.0/24', device: 'eth0' },
    { cidr: 'fd12::/64', device: 'eth0' },
    { cidr: '10.8.0.2/32', device: 'tun0' },
    { cidr: '10.8.0.1/32', device: 'tun0' }
  ])
  t.deepEqual(gateways, [
    { address: '192.168.7.1', device: 'eth0' },
    { address: 'fd12::1', device: 'eth0' }
  ])
  t.deepEqual(routes, [
    { cidr: '10.64.0.0/10', device: 'tun0', before: true },
    { cidr: '172.20.0.0/16', device: 'tun0', before: false }
  ])
})

test('a laptop without any network', async t => {
  const at = laptop(t)
  if (at === undefined) return
  t.deepEqual(await at.worker.call('networks', 'kt0'), { subnets: [], gateways: [], routes: [] })
})
