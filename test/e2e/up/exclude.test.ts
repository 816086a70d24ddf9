// --excludeIps, --includeIps and --disablePodIp: seen in the routes of the laptop, and by connecting.
import test from 'ava'
import { podAddresses, serviceAddress } from '../_support/demo.ts'
import { startKt } from '../_support/kt.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { startOutside } from './_support/outside.ts'
import { program } from './_support/program.ts'
import { DEVICE, deviceFor, tunnelled } from './_support/routes.ts'

const SERVICES = '10.96.0.0/16'
const PODS = /^10\.244\.\d\.0\/24$|^10\.244\.0\.0\/\d+$/

const clusterOnly = builtIn ? test.serial : test.serial.skip

/** True if something at this address answers HTTP. */
async function answers(host: string): Promise<boolean> {
  const { code } = await laptop('curl', ['-s', '-o', '/dev/null', '--max-time', '3', `http://${host}/`])
  return code === 0
}

async function withKt(args: string[], f: (said: string) => Promise<void>): Promise<void> {
  const kt = await startKt(['--namespace', 'demo', ...args])
  try {
    await f(kt.output())
  } finally {
    await kt.stop()
  }
}

clusterOnly('an excluded address, and a range inside of a route', async t => {
  const nginx = await serviceAddress('nginx')
  const echo = await serviceAddress('node-echo')
  const [first = '', second = ''] = await podAddresses('nginx')
  const inside = `${first.replace(/\.\d+$/, '.0')}/25`
  await withKt(['--excludeIps', `${nginx},${inside}`, '--excludeIps', '10.96.255.0/24'], async () => {
    t.is(await deviceFor(nginx), '', 'the address')
    t.is(await deviceFor(first), '', 'a pod in the range')
    t.is(await deviceFor(first.replace(/\.\d+$/, '.200')), DEVICE, 'the other half of the route')
    t.is(await deviceFor('10.96.255.7'), '', 'the second list')
    t.is(await deviceFor('10.96.254.255'), DEVICE)
    t.false(await answers(nginx))
    t.false(await answers(first))
    t.true(await answers(echo))
    t.true(await answers(second))
  })
})

clusterOnly('a range equal to a route drops this route only', async t => {
  const nginx = await serviceAddress('nginx')
  const [pod = ''] = await podAddresses('nginx')
  await withKt(['--excludeIps', SERVICES], async () => {
    const routes = await tunnelled()
    t.false(routes.includes(SERVICES))
    t.true(routes.length > 0 && routes.every(route => PODS.test(route)), routes.join(' '))
    t.is(await deviceFor(nginx), '')
    t.false(await answers(nginx))
    t.true(await answers(pod))
  })
})

clusterOnly(
  'a range wider than the routes drops all of them; --includeIps does not bring back what is excluded',
  async t => {
    const nginx = await serviceAddress('nginx')
    await withKt(['--excludeIps', '10.0.0.0/8', '--includeIps', `${nginx},203.0.113.0/24`], async () => {
      t.deepEqual(await tunnelled(), ['203.0.113.0/24'])
      t.false(await answers(nginx))
      t.is((await program('dig', '+short', '+time=5', 'nginx.demo.svc.cluster.local')).trim(), nginx)
    })
  }
)

clusterOnly('an included address and an included range are reached through the cluster', async t => {
  const [address, other, inRange] = ['203.0.113.5', '203.0.113.6', '198.51.100.77'] as const
  const stopOutside = await startOutside([address, other, inRange])
  const echoes = async (host: string): Promise<string> =>
    (await laptop('nc', ['-N', '-w', '3', host, '7000'], { input: `to ${host}` })).stdout
  try {
    t.is(await echoes(address), '', 'without kt it is not reached')
    await withKt(['--includeIps', `${address},198.51.100.0/24`], async said => {
      t.is(await deviceFor(address), DEVICE)
      t.is(await deviceFor(other), '')
      t.true((await tunnelled()).includes('198.51.100.0/24'))
      t.is(await echoes(address), `to ${address}`)
      t.is(await echoes(inRange), `to ${inRange}`)
      t.is(await echoes(other), '')
      t.regex(said, /198\.51\.100\.0\/24.*--includeIps/)
    })
  } finally {
    await stopOutside()
  }
})

clusterOnly('API server, nodes, gateway and resolver stay outside of an included range that holds them', async t => {
  const nginx = await serviceAddress('nginx')
  const server = /https:\/\/([\d.]+)/.exec(await program('kubectl', 'config', 'view', '--minify'))?.[1] ?? ''
  const resolver = /nameserver (\S+)/.exec(await program('cat', '/etc/resolv.conf'))?.[1] ?? ''
  const before = await Promise.all([server, resolver].map(deviceFor))
  await withKt(['--includeIps', '10.199.0.0/16,10.200.0.0/24,10.96.0.0/12'], async () => {
    t.deepEqual(await Promise.all([server, resolver].map(deviceFor)), before)
    for (const node of ['10.200.0.11', '10.200.0.12']) t.is(await deviceFor(node), '', node)
    t.is(await deviceFor('10.199.77.7'), DEVICE, 'the rest of the range is routed')
    t.is(await deviceFor('10.200.0.77'), DEVICE)
    t.true(await answers(nginx))
    t.is((await program('kubectl', 'get', '--raw', '/readyz')).trim(), 'ok')
    t.is((await program('dig', '+short', '+time=5', 'www.example.test', `@${resolver}`)).trim(), '192.0.2.11')
    t.is((await program('getent', 'ahostsv4', 'www.example.test')).split(/\s/)[0], '192.0.2.11')
  })
})

clusterOnly('--disablePodIp: services are routed, pods are not', async t => {
  const [pod = ''] = await podAddresses('nginx')
  await withKt(['--disablePodIp'], async () => {
    t.deepEqual(await tunnelled(), [SERVICES])
    t.is(await deviceFor(pod), '')
    t.false(await answers(pod))
    t.true(await answers(await serviceAddress('nginx')))
  })
})
