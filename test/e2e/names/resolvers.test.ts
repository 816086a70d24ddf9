// Every resolver that programs bring along finds the same names: glibc, dig, curl, Node twice, busybox, musl, Go.
import test, { type ExecutionContext } from 'ava'
import { startKt } from '../_support/kt.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { program } from '../up/_support/program.ts'
import { muslResolver, ON_A_LAPTOP_WITH_MUSL } from './_support/musl.ts'

const onCluster = builtIn ? test.serial : test.serial.skip
const NAMES = [
  'nginx',
  'nginx.demo',
  'nginx.demo.svc',
  'nginx.demo.svc.cluster.local',
  'nginx.demo.svc.cluster.local.',
  'kubernetes.default',
  'kube-dns.kube-system.svc',
  'web-0.web',
  'web-1.web.demo.svc.cluster.local',
  'www.example.test'
]
const ABSENT = ['nowhere', 'nowhere.demo.svc.cluster.local', 'nowhere.example.test']

type Find = (name: string) => Promise<string>
const ADDRESS = /\b\d{1,3}(\.\d{1,3}){3}\b/g

/** The last IPv4 address that a program prints; empty when it fails. */
const printed =
  (command: string, args: (name: string) => string[], env: Record<string, string> = {}): Find =>
  async name => {
    const { code, stdout } = await laptop(command, args(name), { env })
    return code === 0 ? (stdout.match(ADDRESS)?.at(-1) ?? '') : ''
  }

/** What the group of the pattern holds in what a program prints, whether it fails or not. */
function printedAs(pattern: RegExp, command: string, args: (name: string) => string[]): Find {
  return async name => pattern.exec((await laptop(command, args(name))).stdout)?.[1] ?? ''
}

const node = (call: string): Find =>
  printed(process.execPath, name => [
    '-e',
    `require('node:dns').promises.${call}('${name}').then(a => console.log(String(a.address ?? a[0])), () => process.exit(1))`
  ])

const RESOLVERS: Record<string, Find> = {
  dig: printed('dig', name => ['+short', '+search', '+tries=1', name, 'A']),
  'dig over TCP': printed('dig', name => ['+short', '+search', '+tcp', '+tries=1', name, 'A']),
  "Node's dns.lookup": node('lookup'),
  "Node's dns.resolve": node('resolve4'),
  "busybox' ping": printedAs(/^PING \S+ \(([\d.]+)\)/, '/bin/busybox', name => ['ping', '-c', '1', '-W', '1', name]),
  // It asks for the name behind every search domain and fails if one of them is not there, in a pod as well.
  "busybox' nslookup": printedAs(/Name:\s+\S+\s+Address:\s+(\S+)/, '/bin/busybox', name => [
    'nslookup',
    '-type=a',
    name
  ])
}

async function sameEverywhere(t: ExecutionContext, what: string, find: Find): Promise<void> {
  const getent = printed('getent', name => ['ahostsv4', name])
  for (const name of NAMES) {
    const wanted = await getent(name)
    t.not(wanted, '', name)
    t.is(await find(name), wanted, `${what}: ${name}`)
  }
  for (const name of ABSENT) t.is(await find(name), '', `${what}: ${name}`)
}

onCluster('each resolver finds what getent finds', async t => {
  t.timeout(240_000)
  const kt = await startKt(['--namespace', 'demo'])
  try {
    for (const [what, find] of Object.entries(RESOLVERS)) await sameEverywhere(t, what, find)
    for (const name of NAMES.slice(0, 5)) {
      t.regex(await program('curl', '-sS', '--max-time', '10', `http://${name}/`), /^nginx /, name)
      // kubectl is a Go program without cgo: it brings Go's own resolver.
      const args = [`--server=http://${name}`, 'get', '--raw', '/', '--request-timeout=10s']
      const { stdout, stderr } = await laptop('kubectl', args, {
        env: { GODEBUG: 'netdns=go', KUBECONFIG: '/dev/null' }
      })
      t.regex(stdout, /^nginx /, `${name}: ${stderr}`)
    }
    const { stderr } = await laptop('kubectl', ['--server=http://nowhere.demo', 'get', '--raw', '/'], {
      env: { GODEBUG: 'netdns=go', KUBECONFIG: '/dev/null' }
    })
    t.regex(stderr, /lookup nowhere\.demo /)
  } finally {
    await kt.stop()
  }
})

onCluster("musl's resolver, which asks all servers at once, finds what getent finds", async t => {
  t.timeout(120_000)
  const resolver = await muslResolver()
  const kt = await startKt(['--namespace', 'demo'], { through: ON_A_LAPTOP_WITH_MUSL })
  try {
    await sameEverywhere(
      t,
      'musl',
      printed(resolver, name => [name])
    )
  } finally {
    await kt.stop()
  }
})
