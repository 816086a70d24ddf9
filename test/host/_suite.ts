// Runs on a laptop in a namespace of its own: the suite of every system with the real `ip` and a real /etc/resolv.conf.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { laptopUpstreams, pointResolver } from '../../lib/host/resolver-linux.ts'
import { addRoutes, configureDevice, localNetworks, removeRoutes } from '../../lib/host/routes-linux.ts'
import { serveCalls } from '../_support/netns.ts'
import { NETWORK_CASES, RESOLVER_CASES } from '../compliance/host.ts'
import { OWN_ETC } from './_laptop.ts'

const RESOLV_CONF = '/etc/resolv.conf'
const DEVICE = 'kt0'
const CARD = `
ip link add eth0 type veth peer name wire; ip link set eth0 up; ip link set wire up
ip addr add 192.168.7.9/24 dev eth0; ip route add default via 192.168.7.1
`

function shell(script: string): string {
  return execFileSync('sh', ['-e', '-c', script], { encoding: 'utf8' })
}

interface Shown {
  mtu: number
  addr_info: { local: string; prefixlen: number; scope: string }[]
}

function shown(): { addresses: string[]; mtu: number; routes: string[] } {
  const [link] = JSON.parse(shell(`ip -json addr show dev ${DEVICE}`)) as [Shown]
  const routes = [4, 6].flatMap(family => JSON.parse(shell(`ip -json -${family} route show dev ${DEVICE}`) || '[]'))
  return {
    addresses: link.addr_info
      .filter(({ scope }) => scope === 'global')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    mtu: link.mtu,
    routes: (routes as { dst: string }[]).map(({ dst }) => (dst.includes('/') ? dst : `${dst}/32`))
  }
}

const text = (): string => readFileSync(RESOLV_CONF, 'latin1')

serveCalls({
  async network(name: string): Promise<void> {
    shell(`for each in eth0 other ${DEVICE}; do ip link del $each 2>/dev/null || true; done
      ip tuntap add dev ${DEVICE} mode tun; ${CARD}`)
    await NETWORK_CASES[name]!({
      ...{ device: DEVICE, configureDevice, addRoutes, removeRoutes, localNetworks, shown },
      foreign(cidr) {
        shell(`ip link add other type veth peer name other2; ip link set other up; ip route add ${cidr} dev other`)
        return 'other'
      },
      lose: () => shell(`ip link del ${DEVICE}`)
    })
  },
  async resolver(name: string): Promise<void> {
    shell(`umount -l /etc 2>/dev/null || true; ${OWN_ETC} printf 'nameserver 192.0.2.53\\n' > ${RESOLV_CONF}`)
    await RESOLVER_CASES[name]!({
      ...{ pointResolver, laptopUpstreams, snapshot: text },
      asked: () => /^nameserver (\S+)$/m.exec(text())?.[1] ?? '',
      search: () => /^search (.+)$/m.exec(text())?.[1]?.split(' ') ?? [],
      everything: true
    })
  }
})
