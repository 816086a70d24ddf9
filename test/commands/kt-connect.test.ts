// docs/kt-connect.md says what becomes of every command and flag of kt-connect: each row is tried.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Command } from 'commander'
import { buildProgram } from '../../lib/commands/main.ts'
import { OBSOLETE, obsoleteTyped } from '../../lib/commands/obsolete.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/kt-connect.md'), 'utf8')

interface Row {
  command: string
  /** Each way to write it, as words. */
  ways: string[][]
  byDefault: string
  now: string
}

const ROWS: Row[] = [...PAGE.matchAll(/^\| ([a-z]+) \| (`-.*?) \| (.*?) ?\| (.*) \|$/gm)].map(
  ([, command = '', flags = '', byDefault = '', now = '']) => ({
    command,
    ways: [...flags.matchAll(/`([^`]+)`/g)].map(([, words = '']) => words.split(' ')),
    byDefault: byDefault.trim(),
    now
  })
)

/** A fresh command line; parsing leaves values behind. */
function fresh(name: string): { program: Command; command: Command } {
  const program = buildProgram(() => {})
  const command = program.commands.find(each => each.name() === name || each.aliases().includes(name))
  return { program, command: command ?? program }
}

/** kt-connect's §1 as its users know it. */
const FLAGS: Record<string, string> = {
  all: 'namespace kubeconfig context image imagePullSecret serviceAccount nodeSelector debug withLabel withAnnotation portForwardTimeout podCreationTimeout useShadowDeployment useLocalTime forceUpdate podQuota ipVersion asWorker',
  connect:
    'mode dnsMode shareShadow clusterDomain disablePodIp skipCleanup includeIps excludeIps ingressIp disableTunDevice disableTunRoute proxyPort proxyAddr dnsCacheTtl dnsPort includeDomains',
  exchange: 'expose mode skipPortChecking recoverWaitTime',
  mesh: 'expose skipPortChecking mode versionMark routerImage',
  preview: 'expose external skipPortChecking',
  clean: 'thresholdInMinus dryRun localOnly',
  birdseye: 'sortBy showConnector hideNaturalService'
}

test('the page has every flag of kt-connect', t => {
  for (const [command, names] of Object.entries(FLAGS)) {
    const flags = ROWS.filter(row => row.command === command).map(({ ways }) => ways[0]?.[0])
    for (const name of names.split(' ')) t.true(flags.includes(`--${name}`), `${command} --${name}`)
  }
})

test('the page has everything that is taken with a warning, and no more', t => {
  const warned = ROWS.filter(({ now }) => now.startsWith('Warning:')).map(row => `${row.command} ${row.ways[0]?.[0]}`)
  const known = OBSOLETE.flatMap(({ on, flags }) =>
    on.map(name => `${{ kt: 'all', up: 'connect' }[name] ?? name} ${flags.split(' ')[0]}`)
  ).filter(each => each !== 'provide --port')
  t.deepEqual(warned.sort(), known.sort())
})

for (const { command: name, ways, byDefault, now } of ROWS) {
  for (const words of ways) {
    test(`${name} ${words.join(' ')}`, t => {
      const { program, command } = fresh(name === 'all' ? 'status' : name)
      t.not(command, program, 'there is such a command')
      const owner = name === 'all' ? program : command
      const option = owner.options.find(({ long, short }) => long === words[0] || short === words[0])
      t.truthy(option)
      t.is(String(option?.defaultValue ?? ''), byDefault)
      const { operands, unknown } = owner.parseOptions(words)
      t.deepEqual({ operands, unknown }, { operands: [], unknown: [] })
      const lines = obsoleteTyped(program, command).filter(line => line.startsWith(words[0] ?? ''))
      t.is(lines.length, now.startsWith('Warning:') ? 1 : 0, lines.join())
    })
  }
}

test('every command of the page is one of kt', t => {
  const rows = [...PAGE.matchAll(/^\| `ktctl (\w+).*?` \| `kt (\w+)/gm)]
  t.true(rows.length >= 13)
  for (const [, old = '', now = ''] of rows) {
    const { program, command } = fresh(now)
    t.not(command, program, now)
    t.not(fresh(old).command, fresh(old).program, old)
  }
})

test('what a flag has become gets its value', t => {
  const given = (name: string, ...words: string[]): Record<string, unknown> => {
    const { program, command } = fresh(name)
    program.parseOptions(words.filter(word => program.options.some(({ long }) => long === word)))
    command.parseOptions(words)
    obsoleteTyped(program, command)
    return command.optsWithGlobals()
  }
  t.deepEqual(given('up', '--cidr', '10.1.0.0/16,10.2.0.1').includeIps, ['10.1.0.0/16', '10.2.0.1'])
  t.is(given('up', '--dump2hosts', 'a,b').dnsMode, 'hosts:a,b')
  t.is(given('up', '--dump2hosts').dnsMode, 'hosts')
  t.is(given('up', '--disableDNS').dnsMode, 'none')
  t.deepEqual(given('up', '--disableTunRoute').excludeIps, ['0.0.0.0/0', '::/0'])
  t.is(given('exchange', '--method', 'scale').mode, 'scale')
  t.is(given('run', '--port', '8080').expose, '8080')
})
