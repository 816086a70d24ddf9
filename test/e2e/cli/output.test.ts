// --output json of every command has the fields of docs/output.md and no others.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { imageArguments, kt, type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { documented, undocumented } from './_support/fields.ts'

const QUOTA = { cpu: '100m', memory: '128Mi' }
/** As Go names it. */
const ARCH = process.arch === 'x64' ? 'amd64' : process.arch

interface PodList {
  items: {
    metadata: { annotations: Record<string, string> }
    spec: { nodeSelector: Record<string, string>; containers: { resources: object }[] }
  }[]
}

let up: RunningKt

test.before(async () => {
  await kt(['down'])
  up = await startKt(['-n', 'demo'])
})

test.after.always(async () => {
  await up?.stop()
})

const COMMANDS: [title: string, args: string[]][] = [
  ['kt status', ['status']],
  ['kt dns', ['dns', 'nginx']],
  ['kt check', ['check', '-n', 'demo', ...imageArguments()]],
  ['kt bench', ['bench', '-n', 'demo', '--seconds', '1', '--rounds', '1', ...imageArguments()]],
  ['kt birdseye', ['birdseye', '-n', 'demo', '--showConnector']],
  ['kt recover', ['recover', '--all', '-n', 'demo']],
  ['kt clean', ['clean', '--dryRun', '-n', 'demo']],
  ['kt version', ['version']],
  [
    'kt bundle',
    ['bundle', '-n', 'demo', '--file', join(tmpdir(), `kt-bundle-${process.pid}.yaml`), ...imageArguments()]
  ]
]

for (const [title, args] of COMMANDS) {
  test.serial(`${title}: JSON as documented, YAML the same`, async t => {
    const { stdout, stderr } = await kt([...args, '--output', 'json'])
    t.is(stdout.split('\n').length, 2, `one line: ${stdout}${stderr}`)
    t.deepEqual(undocumented(title, JSON.parse(stdout)), [])
    t.true(documented(title).size > 0)
    const yaml = await kt([...args, '--output', 'yaml'])
    t.regex(yaml.stdout, /^(- )?\w+:/)
  })
}

test.serial('events of a start, what the user wants of the pod, kt logs and kt down', async t => {
  const wishes = [
    '-l',
    'team=a',
    '--withAnnotation',
    'note=b',
    '--podQuota',
    '0.1c,128m',
    '--nodeSelector',
    `kubernetes.io/arch=${ARCH}`
  ]
  const background = [
    'preview',
    'cli-output',
    '--expose',
    '1',
    '--skipPortChecking',
    '-n',
    'demo',
    ...wishes,
    ...imageArguments()
  ]
  const { stdout, code } = await kt([...background, '--output', 'json', '-D'])
  t.is(code, 0)
  const events = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string })
  t.deepEqual([events[0]?.event, events.at(-1)?.event], ['step', 'ready'])
  const known = documented('Events')
  for (const each of events)
    for (const word of [each.event, ...Object.keys(each)]) t.true(word === 'event' || known.has(word), word)
  const [pod] = (
    JSON.parse(
      await kubectl(['-n', 'demo', 'get', 'pods', '-l', 'team=a,kt-role=shadow-preview', '-o', 'json'])
    ) as PodList
  ).items
  t.is(pod?.metadata.annotations.note, 'b')
  t.deepEqual(pod?.spec.containers[0]?.resources, { limits: QUOTA, requests: QUOTA })
  t.deepEqual(pod?.spec.nodeSelector, { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': ARCH })
  const logs = JSON.parse((await kt(['logs', 'preview', '--tail', '3', '--output', 'json'])).stdout) as object
  t.deepEqual(undocumented('kt logs', logs), [])
  const down = JSON.parse((await kt(['down', '--output', 'json'])).stdout) as { ended: number[] }
  t.deepEqual(undocumented('kt down', down), [])
  t.is(down.ended.length, 2)
})
