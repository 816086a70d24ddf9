// A Mac as lib/host sees it: what its programs do to its routes and addresses, and what they print. ifconfig(8), route(8), netstat(1), scutil(8).
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import type { NetworkInterfaceInfo } from 'node:os'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseRange, toCidrs } from '../../lib/host/intervals.ts'
import type { RunResult } from '../../lib/host/run.ts'

interface MacRoute {
  cidr: string
  gateway: string
  flags: string
  device: string
}

const OK: RunResult = { ok: true, stdout: '', stderr: '' }

export class Mac {
  /** Addresses with prefix. */
  readonly #devices = new Map<string, { addresses: string[]; mtu: number; up: boolean }>([
    ['en0', { addresses: ['192.168.7.9/24', 'fe80::1c2d:3e4f/64'], mtu: 1500, up: true }],
    ['utun7', { addresses: [], mtu: 1500, up: false }]
  ])
  #routes: MacRoute[] = [
    { cidr: '0.0.0.0/0', gateway: '192.168.7.1', flags: 'UGScg', device: 'en0' },
    { cidr: '127.0.0.0/8', gateway: '127.0.0.1', flags: 'UCS', device: 'lo0' },
    { cidr: '127.0.0.1/32', gateway: '127.0.0.1', flags: 'UH', device: 'lo0' },
    { cidr: '169.254.0.0/16', gateway: 'link#6', flags: 'UCS', device: 'en0' },
    { cidr: '192.168.7.0/24', gateway: 'link#6', flags: 'UCS', device: 'en0' },
    { cidr: '192.168.7.1/32', gateway: '0:11:22:33:44:55', flags: 'UHLWIir', device: 'en0' },
    { cidr: '224.0.0.0/4', gateway: 'link#6', flags: 'UmCS', device: 'en0' },
    { cidr: '::/0', gateway: 'fe80::%utun0', flags: 'UGcIg', device: 'utun0' },
    { cidr: 'ff00::/8', gateway: '::1', flags: 'UmCI', device: 'lo0' }
  ]
  /** Stands for /etc/resolver. */
  readonly directory = join(mkdtempSync(join(tmpdir(), 'kt-mac-')), 'resolver')
  /** How often names were forgotten. */
  flushed = 0

  readonly run = async (program: string, args: readonly string[]): Promise<RunResult> => {
    const [first = '', ...rest] = args
    switch (program) {
      case 'ifconfig':
        return this.#ifconfig(first, rest)
      case 'route':
        return this.#route(args)
      case 'netstat':
        return this.#netstat(args)
      case 'scutil':
        assert.deepEqual(args, ['--dns'])
        return { ...OK, stdout: SCUTIL }
      case 'dscacheutil':
        assert.deepEqual(args, ['-flushcache'])
        this.flushed++
        return OK
      case 'killall':
        assert.deepEqual(args, ['-HUP', 'mDNSResponder'])
        return OK
      default:
        throw new Error(`a Mac has no ${program}`)
    }
  }

  readonly interfaces = (): NodeJS.Dict<NetworkInterfaceInfo[]> => {
    const found: NodeJS.Dict<NetworkInterfaceInfo[]> = { lo0: [info('127.0.0.1/8', true), info('::1/128', true)] }
    for (const [name, { addresses }] of this.#devices) found[name] = addresses.map(each => info(each, false))
    return found
  }

  shown(device: string): { addresses: string[]; mtu: number; routes: string[] } {
    const { addresses = [], mtu = 0, up = false } = this.#devices.get(device) ?? {}
    assert.ok(up, 'the device is up')
    return { addresses, mtu, routes: this.#routes.filter(each => each.device === device).map(({ cidr }) => cidr) }
  }

  /** Somebody else's tunnel has the range. */
  foreign(cidr: string): string {
    this.#routes.push({ cidr, gateway: 'utun3', flags: 'USc', device: 'utun3' })
    return 'utun3'
  }

  /** The device goes, and with it its routes. */
  lose(device: string): void {
    this.#devices.delete(device)
    this.#routes = this.#routes.filter(each => each.device !== device)
  }

  snapshot(): string {
    const files = listed(this.directory)?.map(name => [name, readFileSync(join(this.directory, name), 'utf8')])
    return JSON.stringify(files ?? 'no directory')
  }

  /** resolver(5): the file with the longest name that the name ends in. */
  asked(name: string): string {
    const best = (listed(this.directory) ?? [])
      .filter(file => name === file || name.endsWith(`.${file}`))
      .sort((a, b) => b.length - a.length)[0]
    if (best === undefined) return '192.0.2.53'
    return /^nameserver (\S+)$/m.exec(readFileSync(join(this.directory, best), 'utf8'))?.[1] ?? ''
  }

  search(): string[] {
    return (listed(this.directory) ?? []).flatMap(file =>
      (/^search (.+)$/m.exec(readFileSync(join(this.directory, file), 'utf8'))?.[1] ?? '').split(' ')
    )
  }

  #ifconfig(device: string, args: readonly string[]): RunResult {
    const at = this.#devices.get(device)
    if (at === undefined) return { ok: false, stdout: '', stderr: `ifconfig: interface ${device} does not exist` }
    const [what, address = '', ...more] = args
    if (what === 'mtu') at.mtu = Number(address)
    else if (what === 'up') at.up = true
    else if (what === 'inet') {
      assert.deepEqual(more, [address.split('/')[0], 'alias'], 'the far end of a point-to-point link')
      at.addresses.push(address)
      this.#routes.push({ cidr: `${more[0]}/32`, gateway: more[0]!, flags: 'UH', device })
    } else if (what === 'inet6') {
      assert.deepEqual(more, ['alias'])
      at.addresses.push(address)
      this.#routes.push({ cidr: network(address), gateway: device, flags: 'Uc', device })
    } else throw new Error(`ifconfig does not know ${what}`)
    return OK
  }

  /** Its exit code is 0 also when the kernel refuses. */
  #route(args: readonly string[]): RunResult {
    const [numeric, verb, family, cidr = '', how, device = ''] = args
    assert.deepEqual([numeric, how], ['-n', '-interface'])
    assert.equal(family, cidr.includes(':') ? '-inet6' : '-inet')
    assert.equal(network(cidr), cidr, 'a network address')
    if (!this.#devices.has(device) && device !== 'utun3')
      return { ok: false, stdout: '', stderr: `route: bad address: ${device}` }
    const refuse = (why: string): RunResult => ({
      ok: true,
      stdout: `${verb} net ${cidr}: gateway ${device}: ${why}\n`,
      stderr: `route: writing to routing socket: ${why}`
    })
    const there = this.#routes.findIndex(each => each.cidr === cidr)
    if (verb === 'add') {
      if (there >= 0) return refuse('File exists')
      this.#routes.push({ cidr, gateway: device, flags: cidr.endsWith('/32') ? 'UHS' : 'USc', device })
    } else {
      if (there < 0) return refuse('not in table')
      this.#routes.splice(there, 1)
    }
    return { ...OK, stdout: `${verb} net ${cidr}: gateway ${device}\n` }
  }

  #netstat(args: readonly string[]): RunResult {
    assert.deepEqual(args.slice(0, 2), ['-rn', '-f'])
    const six = args[2] === 'inet6'
    const lines = this.#routes
      .filter(({ cidr }) => cidr.includes(':') === six)
      .map(({ cidr, gateway, flags, device }) =>
        [
          (six ? name6 : name4)(cidr).padEnd(18),
          gateway.padEnd(18),
          flags.padEnd(18),
          device.padStart(6),
          '      !'
        ].join(' ')
      )
    const head = `Routing tables\n\nInternet${six ? '6' : ''}:\nDestination        Gateway            Flags               Netif Expire\n`
    return { ...OK, stdout: `${head}${lines.join('\n')}\n` }
  }
}

/** As netstat(1) prints it: without the zero bytes that the class of the address leaves to hosts, and without the mask of its class. */
function name4(cidr: string): string {
  if (cidr === '0.0.0.0/0') return 'default'
  const [address = '', length = ''] = cidr.split('/')
  if (length === '32') return address
  const bytes = address.split('.')
  const natural = Number(bytes[0]) < 128 ? 1 : Number(bytes[0]) < 192 ? 2 : 3
  while (bytes.length > natural && bytes.at(-1) === '0') bytes.pop()
  return `${bytes.join('.')}${Number(length) === natural * 8 ? '' : `/${length}`}`
}

function name6(cidr: string): string {
  return cidr === '::/0' ? 'default' : cidr.replace(/\/128$/, '')
}

function network(cidr: string): string {
  const range = parseRange(cidr)
  return range === undefined ? '' : toCidrs(range)[0]!
}

function info(cidr: string, internal: boolean): NetworkInterfaceInfo {
  const [address = ''] = cidr.split('/')
  const base = { address, cidr, internal, mac: '00:00:00:00:00:00', netmask: '' }
  if (!address.includes(':')) return { ...base, family: 'IPv4' }
  return { ...base, family: 'IPv6', scopeid: address.startsWith('fe80') ? 6 : 0 }
}

function listed(directory: string): string[] | undefined {
  try {
    return readdirSync(directory).sort()
  } catch {
    return undefined
  }
}

const SCUTIL = `DNS configuration

resolver #1
  search domain[0] : home.test
  nameserver[0] : 192.0.2.53
  if_index : 6 (en0)
  flags    : Request A records
  reach    : 0x00020002 (Reachable,Directly Reachable Address)

resolver #2
  domain   : local
  options  : mdns
  timeout  : 5
  flags    : Request A records
  reach    : 0x00000000 (Not Reachable)
  order    : 300000

resolver #3
  domain   : vpn.test
  nameserver[0] : 10.8.0.1

DNS configuration (for scoped queries)

resolver #1
  search domain[0] : home.test
  nameserver[0] : 192.0.2.99
  if_index : 6 (en0)
`
