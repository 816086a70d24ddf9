// The ground under the tests of IPv6: a cluster whose pods and services have addresses of both families.
import test from 'ava'
import { inCluster, podAddresses, serviceAddress } from '../_support/demo.ts'
import { builtIn } from '../_support/laptop.ts'

const options = { cluster: 'dual-stack' } as const
const dualStack = builtIn ? test : test.skip

dualStack('a pod has both addresses and answers on both', async t => {
  const [ipv4] = await podAddresses('nginx', 4, options)
  const [ipv6] = await podAddresses('nginx', 6, options)
  t.regex(await inCluster(`curl -sS -m 5 http://${ipv4}/`, options), /^nginx /)
  t.regex(await inCluster(`curl -sS -m 5 http://[${ipv6}]/`, options), /^nginx /)
})

dualStack('a service has both addresses and answers on both, TCP and UDP', async t => {
  for (const host of [
    await serviceAddress('node-echo', 4, options),
    `[${await serviceAddress('node-echo', 6, options)}]`
  ]) {
    t.regex(await inCluster(`curl -sS -m 5 http://${host}/`, options), /"pod":"node-echo-/)
    t.is(await inCluster(`printf echo | socat -t 2 - UDP:${host}:7000`, options), 'echo')
  }
})

dualStack('a service of IPv6 alone is found by name', async t => {
  t.regex(await inCluster('curl -sS -m 5 http://node-echo-v6/', options), /"remote":"fd10:/)
})
