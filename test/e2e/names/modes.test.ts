// The other ways in which names get onto the laptop, `kt dns`, and other programs that write what kt has written.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { KT, kt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { builtIn, laptop } from '../_support/laptop.ts'
import { eventually } from '../up/_support/eventually.ts'
import { program, succeed } from '../up/_support/program.ts'
import { keepResolver } from '../up/_support/resolver.ts'
import { makeUser } from '../up/_support/user.ts'
import { askOnLaptop } from './_support/ask.ts'
import { startCompany } from './_support/company.ts'

const onCluster = builtIn ? test.serial : test.serial.skip
const RESOLV_CONF = '/etc/resolv.conf'
/** The watch of the file waits until its writer has finished. */
const REPAIRED_MS = 3000
const SEEN_MS = 1000
/** Gives kt, and what runs beside it, a hosts file that nobody else has; the programs of a test enter its namespace. */
const folder = mkdtempSync(join(tmpdir(), 'kt-names-'))
const HOSTS = join(folder, 'hosts')
const OWN_HOSTS = ['unshare', '--mount', 'sh', '-ec', `mount --bind ${HOSTS} /etc/hosts; exec "$@"`, 'sh']

test.after.always(() => rmSync(folder, { recursive: true, force: true }))

async function read(path: string): Promise<string> {
  return program('base64', '-w0', path)
}

/** A program beside kt, in its mount namespace. */
async function beside(pid: number, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await laptop('nsenter', ['--mount', `--target=${pid}`, command, ...args])
  return stdout
}

async function hosts(text: string): Promise<void> {
  await succeed({ input: text }, 'sh', '-c', `cat > ${HOSTS}`)
}

for (const [what, text] of Object.entries({
  'a usual file': '127.0.0.1\tlocalhost\n::1 localhost\n192.0.2.1 nas # mine\n',
  'no line break at its end': '127.0.0.1 localhost',
  'carriage returns': '127.0.0.1 localhost\r\n'
})) {
  onCluster(`--dnsMode hosts, ${what}: names in /etc/hosts, resolv.conf untouched, put back byte by byte`, async t => {
    await hosts(text)
    const [before, resolvConf] = [await read(HOSTS), await read(RESOLV_CONF)]
    const running = await startKt(['-n', 'demo', '--dnsMode', 'hosts:kube-system'], { through: OWN_HOSTS })
    try {
      const address = async (name: string): Promise<string> =>
        (await beside(running.pid, 'getent', 'ahostsv4', name)).split(/\s/)[0] ?? ''
      const nginx = await address('nginx')
      t.regex(nginx, /^10\.96\./)
      for (const name of ['nginx.demo', 'nginx.demo.svc', 'nginx.demo.svc.cluster.local'])
        t.is(await address(name), nginx)
      t.is(await address('kube-dns.kube-system'), '10.96.0.10')
      t.is(await address('kube-dns'), '', 'short names are those of the own namespace')
      t.is(await address('kubernetes.default'), '', 'a namespace that was not named')
      t.regex(await address('web-0.web'), /^10\.244\./)
      t.is(await read(RESOLV_CONF), resolvConf)
      await kubectl(['-n', 'demo', 'create', 'service', 'clusterip', 'names-hosts', '--tcp=80'])
      t.regex(
        (await eventually(true, SEEN_MS, async () => (await address('names-hosts')) !== '')) ? 'seen' : '',
        /seen/
      )
      await kubectl(['-n', 'demo', 'delete', 'service', 'names-hosts'])
      t.is(await eventually('', SEEN_MS, () => address('names-hosts')), '')
    } finally {
      await running.stop()
      await kubectl(['-n', 'demo', 'delete', 'service', 'names-hosts', '--ignore-not-found'])
    }
    t.is(await read(HOSTS), before)
  })
}

onCluster(
  '--dnsMode hosts: after SIGKILL the next kt puts /etc/hosts back, and leaves what another program wrote',
  async t => {
    await hosts('127.0.0.1 localhost\n')
    const before = await read(HOSTS)
    const kill = async (): Promise<void> => {
      const running = await startKt(['-n', 'demo', '--dnsMode', 'hosts'], { through: OWN_HOSTS })
      t.not(await read(HOSTS), before)
      await running.stop('SIGKILL')
    }
    const down = async (): Promise<string> => {
      const [command, ...words] = [...OWN_HOSTS, process.execPath, KT, 'down']
      return succeed({}, command!, ...words)
    }
    await kill()
    t.regex(await down(), /\/etc\/hosts is as it was before/)
    t.is(await read(HOSTS), before)
    await kill()
    await program('sh', '-c', `echo 192.0.2.9 mine >> ${HOSTS}`)
    t.regex(await down(), /only kt's own lines were taken out/)
    t.is(await program('cat', HOSTS), '127.0.0.1 localhost\n192.0.2.9 mine\n')
    await kubectl(['-n', 'demo', 'delete', 'pods,configmaps', '-l', 'control-by=kt'])
  }
)

onCluster('--dnsMode none: nothing is changed, and the resolver answers who asks it', async t => {
  const before = [await read(RESOLV_CONF), await read('/etc/hosts')]
  const running = await startKt(['-n', 'demo', '--dnsMode', 'none'])
  try {
    t.deepEqual([await read(RESOLV_CONF), await read('/etc/hosts')], before)
    const [nginx, www] = await askOnLaptop([
      ['nginx.demo.svc.cluster.local', 'A'],
      ['www.example.test', 'A']
    ])
    t.is(nginx?.answers.length, 1)
    t.is(www?.answers.length, 1)
  } finally {
    await running.stop()
  }
})

onCluster('localDNS:order, podDNS and wrong modes', async t => {
  const company = await startCompany()
  try {
    const running = await startKt(['-n', 'demo', '--dnsMode', `localDNS:cluster,udp:${company.address}:53`])
    company.questions()
    t.regex(running.output(), /asked over UDP or TCP as the program asks/)
    await askOnLaptop([['www.example.test', 'A']])
    t.deepEqual(company.questions(), ['www.example.test a'.replace(' a', ' A')])
    await running.stop()
  } finally {
    await company.stop()
  }
  const pod = await startKt(['-n', 'demo', '--dnsMode', 'podDNS'])
  t.is(pod.output().match(/^! .*podDNS.*/gm)?.length, 1)
  t.is((await laptop('getent', ['ahostsv4', 'nginx'])).code, 0)
  await pod.stop()
  for (const mode of ['remote', 'localDNS:nonsense', 'hosts:A_B', 'none:x']) {
    const { code, stderr } = await kt(['up', '--dnsMode', mode])
    t.is(code, 2, mode)
    t.regex(stderr, /^kt: --dnsMode .*\n {4}localDNS/m)
  }
})

onCluster('--clusterDomain, --includeDomains, --dnsCacheTtl', async t => {
  const [domain, included] = [
    ['--clusterDomain', 'other.example'],
    ['--includeDomains', 'upstream.example.test']
  ]
  const running = await startKt(['-n', 'demo', '--dnsCacheTtl', '0', ...domain, ...included])
  try {
    const [other, usual, www] = await askOnLaptop([
      ['nginx.demo.svc.other.example', 'A'],
      ['nginx.demo.svc.cluster.local', 'A'],
      ['www.example.test', 'A']
    ])
    t.is(other?.answers.length, 1)
    t.is(usual?.answers.length, 0)
    t.is(www?.answers.length, 1)
    for (const _ of [1, 2]) {
      const { stdout } = await kt(['dns', 'upstream.example.test', '--output', 'json'])
      t.like(JSON.parse(stdout), { source: 'cluster', rcode: 'NOERROR' }) // never `cache`
    }
  } finally {
    await running.stop()
  }
})

onCluster('kt dns: who answers, and why', async t => {
  t.like(await kt(['dns', 'nginx']), {
    code: 3,
    stderr: 'kt: kt up does not run here: nobody answers for the cluster\n    try: sudo kt up\n'
  })
  const running = await startKt(['-n', 'demo'])
  try {
    const text = await program(process.execPath, KT, 'dns', 'nginx')
    t.regex(text, /rule: +nginx is short for nginx\.demo\.svc\.cluster\.local/)
    t.regex(text, /source: the watch of Services and EndpointSlices: service nginx in namespace demo, ClusterIP 10\./)
    t.regex(text, /answer: NOERROR, 1 record, after \d+\.\d ms\n +nginx 5 A 10\./)
    const json = async (...args: string[]): Promise<unknown> =>
      JSON.parse((await kt(['dns', ...args, '--output', 'json'])).stdout)
    t.like(await json('www.example.test'), { source: 'upstream', rcode: 'NOERROR' })
    t.like(await json('x.demo.pod.cluster.local'), { source: 'cluster', rcode: 'NXDOMAIN' })
    t.like(await json('x.demo.pod.cluster.local'), { source: 'cache', rcode: 'NXDOMAIN' })
    t.like(await json('web.demo', 'srv'), { source: 'watch', type: 'SRV', rcode: 'NOERROR' })
    t.like(await json('10.0.96.10.in-addr.arpa', 'PTR'), { source: 'watch', rcode: 'NOERROR' })
    t.is((await kt(['dns', 'nowhere.demo.svc.cluster.local'])).code, 1)
    t.like(await kt(['dns', 'a..b']), { code: 2 })
    t.like(await kt(['dns', 'nginx', 'NOTYPE']), { code: 2 })
  } finally {
    await running.stop()
  }
})

onCluster(
  'another program writes resolv.conf: kt puts itself in front again, and puts back what that program wrote',
  async t => {
    const putBack = await keepResolver()
    const company = await startCompany()
    const nameserver = /nameserver (\S+)/.exec(await program('cat', RESOLV_CONF))?.[1] ?? ''
    const running = await startKt(['-n', 'demo'])
    const written = `# from the DHCP client\nsearch corp.example.test\nnameserver ${nameserver}\n`
    try {
      await succeed({ input: written }, 'sh', '-c', `cat > ${RESOLV_CONF}`)
      const isFront = async (): Promise<boolean> =>
        /^# kt:.*\nnameserver 198\.18\.0\.2\n/.test(await program('cat', RESOLV_CONF))
      t.true(await eventually(true, REPAIRED_MS, isFront))
      t.is((await laptop('getent', ['ahostsv4', 'nginx'])).code, 0)
      t.regex((await laptop('getent', ['ahostsv4', 'intranet'])).stdout, /^192\.0\.2\.20 /, 'its search domain counts')
      t.regex(running.output(), /was written by another program: 198\.18\.0\.2 is in front again/)
    } finally {
      await running.stop()
      const left = await program('cat', RESOLV_CONF)
      await company.stop()
      await putBack()
      t.is(left, written)
    }
  }
)

onCluster('with rights in one namespace: its names from the watch, all others from the cluster', async t => {
  const file = join(folder, 'kubeconfig')
  const user = await makeUser('names-user', 'demo', file)
  try {
    await user.allow([
      { resource: 'pods', verbs: ['get', 'list', 'watch', 'create', 'delete'] },
      { resource: 'pods/portforward', verbs: ['get', 'create'] },
      { resource: 'configmaps', verbs: ['create', 'delete'] },
      { resource: 'services', verbs: ['list', 'watch'] },
      { group: 'discovery.k8s.io', resource: 'endpointslices', verbs: ['list', 'watch'] }
    ])
    const running = await startKt([], { env: { KUBECONFIG: file } })
    try {
      const sources: Record<string, string> = {}
      for (const name of ['nginx', 'web-0.web.demo.svc.cluster.local', 'kube-dns.kube-system.svc.cluster.local']) {
        const { stdout } = await kt(['dns', name, '--output', 'json'])
        const found = JSON.parse(stdout) as { source: string; rcode: string }
        sources[name] = `${found.rcode} ${found.source}`
      }
      t.deepEqual(sources, {
        nginx: 'NOERROR watch',
        'web-0.web.demo.svc.cluster.local': 'NOERROR watch',
        'kube-dns.kube-system.svc.cluster.local': 'NOERROR cluster'
      })
      t.is((await program('getent', 'ahostsv4', 'kube-dns.kube-system.svc')).split(/\s/)[0], '10.96.0.10')
      t.is((await program('getent', 'ahostsv4', 'kubernetes.default')).split(/\s/)[0], '10.96.0.1')
    } finally {
      await running.stop()
    }
  } finally {
    await user.remove()
  }
})
