// Writes docs/images/kt.svg: real commands on the laptop of a running test cluster, recorded by util-linux's `script`.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { existingCluster } from '../test/cluster/existing.ts'
import { laptopVariables, onLaptop } from '../test/cluster/laptop.ts'
import { cacheDirectory } from '../test/cluster/settings.ts'
import { type Output, terminalSvg } from './terminal-svg.ts'

const PICTURE = 'docs/images/kt.svg'
const [COLUMNS, ROWS] = [104, 24]
/** Whoever watches does not wait for a machine at work: longer pauses are shown as this, ms. */
const MAX_PAUSE_MS = 1_500
const LIMIT_MS = 240_000

/** What is typed; a line that begins with # is a word to whoever watches. */
const SCENES = [
  '# One network: names and addresses of the cluster work for every program.',
  'kt up -D',
  'curl -s http://nginx',
  'kt dns nginx',
  '# The other way: service nginx is served by a program on this laptop.',
  'curl -s http://localhost:3000',
  'kt exchange nginx --expose 3000:80 -D',
  'kubectl -n demo exec deploy/tools -- curl -s http://nginx',
  'kt birdseye --hideNaturalService',
  'kt down',
  'kubectl -n demo exec deploy/tools -- curl -s http://nginx'
]

/** A home of its own and a name that says nothing about this computer, in namespaces that end with it. */
const STAGE = `
mount -t tmpfs kt /home && mkdir $HOME && hostname laptop && cd || exit
stty cols ${COLUMNS} rows ${ROWS}
kt config set global.image kt.local/node:20 >/dev/null
kt config set global.namespace demo >/dev/null
node -e 'require("http").createServer((_, r) => r.end("hello from the laptop\\n")).listen(3000)' &
trap 'kill %1; kt down >/dev/null' EXIT
scene() {
  if [[ $1 == \\#* ]]; then printf '\\e[90m%s\\e[0m\\n' "$1"; sleep 1; return; fi
  printf '\\e[32mlaptop #\\e[0m '
  for ((i = 0; i < \${#1}; i += 2)); do printf %s "\${1:i:2}"; sleep 0.07; done
  sleep 0.3; echo; eval "$1"; sleep 1.2; echo
}
sleep 1
`

/** The bytes of `script` with the times of its classic timing file: seconds since the piece before, and its length. */
function outputs(log: Buffer, timing: string): Output[] {
  const decoder = new TextDecoder()
  let offset = log.indexOf('\n') + 1 // a line of its own stands in front
  let at = 0
  return timing
    .trim()
    .split('\n')
    .map(line => {
      const [seconds = 0, length = 0] = line.split(' ').map(Number)
      at += Math.min(seconds * 1000, MAX_PAUSE_MS)
      const text = decoder.decode(log.subarray(offset, offset + length), { stream: true })
      offset += length
      return { at, text }
    })
}

const { values } = parseArgs({ options: { id: { type: 'string', default: '0' } } })
const settings = existingCluster(Number(values.id), cacheDirectory(process.env))
const folder = mkdtempSync(join(tmpdir(), 'kt-recording-'))
try {
  const [log, timing] = [join(folder, 'log'), join(folder, 'timing')]
  const [stage, kt] = [join(folder, 'stage'), join(folder, 'kt')]
  writeFileSync(kt, `#!/bin/sh\nexec node ${join(import.meta.dirname, '../bin/kt.ts')} "$@"\n`)
  chmodSync(kt, 0o755)
  const quoted = SCENES.map(scene => `scene '${scene.replaceAll("'", "'\\''")}'`)
  writeFileSync(stage, [STAGE, ...quoted, ''].join('\n'))
  const variables = laptopVariables(settings)
  const recorder = ['script', '-q', '-e', '-m', 'classic', '-O', log, '-T', timing, '-c', `bash ${stage}`]
  const [program, args] = onLaptop(settings, ['unshare', '--uts', '--mount', '--', ...recorder])
  const { status } = spawnSync(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: LIMIT_MS,
    env: {
      ...process.env,
      ...variables,
      PATH: `${folder}:${variables.PATH}`,
      KT_HOME: '',
      HOME: '/home/dev',
      TERM: 'xterm'
    }
  })
  if (status !== 0) throw new Error(`a command failed, or it took longer than ${LIMIT_MS / 1000} s (status ${status})`)
  const svg = terminalSvg(outputs(readFileSync(log), readFileSync(timing, 'utf8')), COLUMNS, ROWS)
  mkdirSync('docs/images', { recursive: true })
  writeFileSync(PICTURE, svg)
  process.stdout.write(`${PICTURE}: ${Math.ceil(svg.length / 1000)} kB\n`)
} finally {
  rmSync(folder, { recursive: true })
}
