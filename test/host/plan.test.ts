import test from 'ava'
import fc from 'fast-check'
import { KtError } from '../../lib/errors.ts'
import { covers, overlapNotes, type PlanInput, planRoutes } from '../../lib/host/plan.ts'

const SERVICES = { cidr: '10.96.0.0/16', reason: 'services' }
const PODS = { cidr: '10.244.0.0/16', reason: 'pods' }

function plan(input: Partial<PlanInput>) {
  return planRoutes({ ranges: [SERVICES, PODS], include: [], exclude: [], never: [], local: [], ...input })
}

const cidrs = (input: Partial<PlanInput>): string[] => plan(input).routes.map(({ cidr }) => cidr)

test('each range is a route with its reason', t => {
  t.deepEqual(plan({}), { routes: [SERVICES, PODS], notes: [] })
})

test('excludeIps: an address inside a route', t => {
  const routes = cidrs({ ranges: [SERVICES], exclude: ['10.96.14.3'] })
  t.false(covers([...routes.map(cidr => ({ cidr }))], '10.96.14.3'))
  t.deepEqual(routes.length, 16)
  t.true(covers([...routes.map(cidr => ({ cidr }))], '10.96.14.2'))
  t.true(covers([...routes.map(cidr => ({ cidr }))], '10.96.14.4'))
})

test('excludeIps: a range inside, equal to and around a route', t => {
  t.deepEqual(cidrs({ ranges: [SERVICES], exclude: ['10.96.128.0/17'] }), ['10.96.0.0/17'])
  t.deepEqual(cidrs({ exclude: ['10.96.0.0/16'] }), ['10.244.0.0/16'])
  t.deepEqual(cidrs({ exclude: ['10.0.0.0/8'] }), [])
})

test('includeIps: an address and a range, also in a range that is there already', t => {
  t.deepEqual(plan({ ranges: [SERVICES], include: ['192.0.2.7', '203.0.113.0/24', '10.96.1.0/24'] }).routes, [
    SERVICES,
    { cidr: '192.0.2.7/32', reason: '--includeIps' },
    { cidr: '203.0.113.0/24', reason: '--includeIps' }
  ])
})

test('includeIps around a route keeps the reason of the route', t => {
  const { routes } = plan({ ranges: [{ cidr: '10.96.0.0/17', reason: 'services' }], include: ['10.96.0.0/16'] })
  t.deepEqual(routes, [
    { cidr: '10.96.0.0/17', reason: 'services' },
    { cidr: '10.96.128.0/17', reason: '--includeIps' }
  ])
})

test('excludeIps wins over includeIps, and bits of the host are no error', t => {
  t.deepEqual(cidrs({ ranges: [], include: ['192.0.2.9/24'], exclude: ['192.0.2.200/25'] }), ['192.0.2.0/25'])
})

test('the API server stays outside even when a range contains it, and it is said', t => {
  const { routes, notes } = plan({ ranges: [PODS], never: [{ address: '10.244.0.1', reason: 'the API server' }] })
  t.false(covers(routes, '10.244.0.1'))
  t.true(covers(routes, '10.244.0.2'))
  t.deepEqual(notes, ['10.244.0.1 is left out: the API server'])
})

test('what is never routed cannot be included either; addresses outside of all ranges are not mentioned', t => {
  const { routes, notes } = plan({
    ranges: [],
    include: ['192.0.2.0/31'],
    never: [
      { address: '192.0.2.1', reason: 'the default gateway' },
      { address: '198.51.100.1', reason: 'the default gateway' }
    ]
  })
  t.deepEqual(routes, [{ cidr: '192.0.2.0/32', reason: '--includeIps' }])
  t.deepEqual(notes, ['192.0.2.1 is left out: the default gateway'])
})

test("the laptop's own subnets stay its own, unless they are included", t => {
  const local = [{ cidr: '10.244.8.0/24', device: 'eth0' }]
  const without = plan({ ranges: [PODS], local })
  t.false(covers(without.routes, '10.244.8.1'))
  t.regex(without.notes.join(), /10\.244\.8\.0\/24 is left out: the laptop's own subnet on eth0/)
  t.true(covers(plan({ ranges: [PODS], local, include: ['10.244.8.1'] }).routes, '10.244.8.1'))
})

test('a cluster inside of the own subnet is left to it', t => {
  const { routes, notes } = plan({ ranges: [PODS], local: [{ cidr: '10.0.0.0/8', device: 'wlan0' }] })
  t.deepEqual(routes, [])
  t.is(notes.length, 1)
})

test('neighbours with the same reason are one route, with other reasons they are two', t => {
  const low = { cidr: '10.0.0.0/25', reason: 'a' }
  t.deepEqual(cidrs({ ranges: [{ cidr: '10.0.0.128/25', reason: 'a' }, low] }), ['10.0.0.0/24'])
  t.deepEqual(cidrs({ ranges: [{ cidr: '10.0.0.128/25', reason: 'b' }, low] }), ['10.0.0.0/25', '10.0.0.128/25'])
})

test('IPv6 ranges, addresses and exclusions', t => {
  const input = {
    ranges: [{ cidr: 'FD00:10:96::/112', reason: 'services' }],
    include: ['2001:db8::1'],
    exclude: ['fd00:10:96::8000/113']
  }
  t.deepEqual(cidrs(input), ['2001:db8::1/128', 'fd00:10:96::/113'])
  t.deepEqual(cidrs({ ranges: [{ cidr: 'fd00::/127', reason: 'x' }], exclude: ['fd00::1'] }), ['fd00::/128'])
})

test('a family does not touch the other', t => {
  t.deepEqual(cidrs({ ranges: [SERVICES, { cidr: 'fd00::/64', reason: 'six' }], exclude: ['::/0'] }), ['10.96.0.0/16'])
})

test('loopback, link-local and multicast are never routed', t => {
  const { routes } = plan({ ranges: [], include: ['0.0.0.0/0', '::/0'] })
  for (const address of ['127.0.0.1', '169.254.169.254', '224.0.0.251', '0.0.0.0', '::1', 'fe80::1', 'ff02::1']) {
    t.false(covers(routes, address), address)
  }
  for (const address of ['1.1.1.1', '223.255.255.255', '2001:db8::1', 'fd00::1'])
    t.true(covers(routes, address), address)
})

for (const bad of [
  '10.96.0.0/33',
  '10.96',
  'service',
  '',
  '300.1.1.1',
  'fd00::/129',
  'fe80::1%eth0',
  '10.0.0.0-10.0.0.9'
]) {
  test(`KT_USAGE for '${bad}'`, t => {
    for (const option of ['include', 'exclude'] as const) {
      const error = t.throws(() => plan({ [option]: [bad] }), { instanceOf: KtError })
      t.is(error.code, 'KT_USAGE')
      t.true(error.message.startsWith(`--${option}Ips: '${bad}'`), error.message)
      t.not(error.hint, '')
    }
  })
}

test('a broken range of the cluster is left out and said, not thrown', t => {
  const { routes, notes } = plan({ ranges: [SERVICES, { cidr: 'nonsense', reason: 'pods' }] })
  t.deepEqual(routes, [SERVICES])
  t.deepEqual(notes, ['nonsense (pods) is not a range: left out'])
})

test('a thousand nodes are one note', t => {
  const never = Array.from({ length: 1000 }, (_, i) => ({ address: `10.244.${i >> 8}.${i & 255}`, reason: 'nodes' }))
  const { notes } = plan({ never })
  t.deepEqual(notes, ['10.244.0.0, 10.244.0.1, 10.244.0.2, 10.244.0.3 and 996 more are left out: nodes'])
})

test('too many pieces are refused with advice', t => {
  const exclude = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 13}.${(i >> 5) & 255}.${(i & 31) * 8 + 3}`)
  const error = t.throws(() => plan({ ranges: [{ cidr: '10.0.0.0/8', reason: 'x' }], exclude }), {
    instanceOf: KtError
  })
  t.is(error.code, 'KT_ROUTES')
})

test('routes of others that overlap are noted', t => {
  t.deepEqual(
    overlapNotes(
      [SERVICES],
      [
        { cidr: '10.96.8.0/24', device: 'tun0', before: false },
        { cidr: '10.0.0.0/8', device: 'tailscale0', before: true },
        { cidr: '172.16.0.0/12', device: 'tun0', before: false }
      ]
    ).map(note => note.split(':')[0]),
    ['10.96.8.0/24 on tun0 overlaps with the cluster', '10.0.0.0/8 goes to tailscale0 by a rule of higher priority']
  )
})

/** Universes of 1,024 addresses, small enough to ask for each of them. */
const UNIVERSE = [
  { bits: 32, text: (n: number) => `10.0.${n >> 8}.${n & 255}` },
  { bits: 128, text: (n: number) => `fd00::${n.toString(16)}` }
] as const

const range = (family: 0 | 1) =>
  fc.tuple(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 0, max: 10 })).map(([n, size]) => {
    const first = (n >> size) << size
    const { bits, text } = UNIVERSE[family]
    return { first, last: first + (1 << size) - 1, text: `${text(first)}/${bits - size}` }
  })

for (const family of [0, 1] as const) {
  test(`property, IPv${family === 0 ? 4 : 6}: each address is routed as the rule for one address says, once`, t => {
    const ranges = fc.array(range(family), { maxLength: 5 })
    fc.assert(
      fc.property(ranges, ranges, ranges, ranges, ranges, (of, include, exclude, never, local) => {
        const { routes } = planRoutes({
          ranges: of.map(({ text }, i) => ({ cidr: text, reason: `range ${i % 3}` })),
          include: include.map(({ text }) => text),
          exclude: exclude.map(({ text }) => text),
          never: never.map(({ text }) => ({ address: text, reason: 'never' })),
          local: local.map(({ text }) => ({ cidr: text, device: 'eth0' }))
        })
        const { bits, text } = UNIVERSE[family]
        const got = new Map<number, string>()
        const numbers = new Map(Array.from({ length: 1024 }, (_, n) => [text(n), n]))
        numbers.set('fd00::', 0)
        for (const { cidr, reason } of routes) {
          const [address = '', prefix] = cidr.split('/')
          const first = numbers.get(address)
          if (first === undefined) return false
          for (let n = first; n < first + 2 ** (bits - Number(prefix)); n++) {
            if (got.has(n)) return false // doubled
            got.set(n, reason)
          }
        }
        const holds = (list: { first: number; last: number }[], n: number) =>
          list.findIndex(r => r.first <= n && n <= r.last)
        for (let n = 0; n < 1024; n++) {
          const from = holds(local, n) < 0 ? holds(of, n) : -1
          const wanted = from >= 0 ? `range ${from % 3}` : holds(include, n) >= 0 ? '--includeIps' : undefined
          const out = holds(exclude, n) >= 0 || holds(never, n) >= 0
          if (got.get(n) !== (out ? undefined : wanted)) return false
        }
        return true
      }),
      { numRuns: 150 }
    )
    t.pass()
  })
}

test('property: routes are aligned, sorted, and no two of them could be one', t => {
  fc.assert(
    fc.property(fc.array(range(0), { maxLength: 8 }), fc.array(range(0), { maxLength: 8 }), (of, exclude) => {
      const { routes } = planRoutes({
        ranges: of.map(({ text }) => ({ cidr: text, reason: 'one' })),
        include: [],
        exclude: exclude.map(({ text }) => text),
        never: [],
        local: []
      })
      const blocks = routes.map(({ cidr }) => {
        const [address = '', prefix] = cidr.split('/')
        const [, , c, d] = address.split('.').map(Number)
        return { first: (c ?? 0) * 256 + (d ?? 0), size: 2 ** (32 - Number(prefix)) }
      })
      return blocks.every(({ first, size }, i) => {
        const next = blocks[i + 1]
        if (first % size !== 0) return false
        if (next === undefined) return true
        const pair = next.first === first + size && next.size === size && first % (2 * size) === 0
        return next.first >= first + size && !pair
      })
    })
  )
  t.pass()
})
