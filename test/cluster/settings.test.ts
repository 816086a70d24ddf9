import test from 'ava'
import { Address4, Address6 } from 'ip-address'
import { type Choice, cacheDirectory, clusterSettings, IDS, type Settings } from './settings.ts'

function settings(choice: Partial<Choice> = {}): Settings {
  return clusterSettings({ id: 0, nodes: 2, proxy: 'nftables', dualStack: false, demo: true, ...choice }, '/cache')
}

function isIn(address: string, range: string): boolean {
  if (address.includes(':')) return range.includes(':') && new Address6(address).isInSubnet(new Address6(range))
  return !range.includes(':') && new Address4(address).isInSubnet(new Address4(range))
}

test('two clusters on one machine share no name, no link address and no directory', t => {
  const own = IDS.flatMap(id => {
    const { controlPlane, laptop, prefix, hostAddress, apiAddress, laptopGateway, laptopAddress, state, nodeList } =
      settings({ id })
    return [
      controlPlane,
      laptop,
      prefix,
      hostAddress,
      apiAddress,
      laptopGateway,
      laptopAddress,
      state,
      ...nodeList.map(node => node.netns)
    ]
  })
  t.is(new Set(own).size, own.length)
})

test('both ends of a link lie in its /30', t => {
  for (const id of IDS) {
    const { hostAddress, apiAddress, laptopGateway, laptopAddress } = settings({ id })
    t.true(isIn(apiAddress, `${hostAddress}/30`))
    t.true(isIn(laptopAddress, `${laptopGateway}/30`))
  }
})

test('IPv4 only: one family everywhere', t => {
  const { lanAddresses, lanRanges, podRanges, serviceRanges, nodeList } = settings()
  for (const list of [
    lanAddresses,
    lanRanges,
    podRanges,
    serviceRanges,
    ...nodeList.flatMap(node => [node.addresses, node.podRanges])
  ]) {
    t.is(list.length, 1)
    t.false(list[0]!.includes(':'))
  }
})

test('dual-stack: both families, IPv4 first, each address in its range, no two ranges overlap', t => {
  const { lanAddresses, lanRanges, podRanges, serviceRanges, dnsAddress, nodeList } = settings({ dualStack: true })
  for (const family of [0, 1]) {
    const ranges = [lanRanges[family]!, podRanges[family]!, serviceRanges[family]!]
    t.true(ranges.every(range => range.includes(':') === (family === 1)))
    t.true(isIn(lanAddresses[family]!, lanRanges[family]!))
    for (const node of nodeList) {
      t.true(isIn(node.addresses[family]!, lanRanges[family]!))
      t.true(isIn(node.podRanges[family]!, podRanges[family]!))
    }
    t.is(new Set(nodeList.map(node => node.podRanges[family])).size, nodeList.length)
    for (const range of ranges)
      for (const other of ranges) if (range !== other) t.false(isIn(range, other), `${range} in ${other}`)
  }
  t.true(isIn(dnsAddress, serviceRanges[0]!))
})

test('one node means one node', t => {
  t.deepEqual(
    settings({ nodes: 1, id: 3 }).nodeList.map(node => node.netns),
    ['ktk3-n1']
  )
})

test('the cache: KT_CLUSTER_CACHE, the user’s cache, the home directory', t => {
  t.is(cacheDirectory({ KT_CLUSTER_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' }), '/a')
  t.is(cacheDirectory({ XDG_CACHE_HOME: '/b', HOME: '/c' }), '/b/kt-cluster')
  t.is(cacheDirectory({ HOME: '/c' }), '/c/.cache/kt-cluster')
})
