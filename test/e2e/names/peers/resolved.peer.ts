// Runs beside a systemd-resolved on the laptop: `kt up` in here, what resolved then knows and answers, and what is left afterwards.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const [kt = '', readyLine = '', ...args] = process.argv.slice(2)
const READY_MS = 60_000
const NAMES = [
  'nginx',
  'nginx.demo',
  'nginx.demo.svc.cluster.local',
  'kubernetes.default',
  'www.example.test',
  'nowhere.example.test'
]

/** What a program prints, or why it failed. */
function say(command: string, ...words: string[]): string {
  try {
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 }).trim()
  } catch (error) {
    return `failed: ${String((error as { stderr?: string }).stderr)}`
  }
}

function snapshot(): string {
  return [say('resolvectl', 'dns'), say('resolvectl', 'domain'), readFileSync('/etc/resolv.conf', 'latin1')].join('\n')
}

// As every distribution sets it up: systemd-resolved keeps the search list of its links in a file to which resolv.conf is a link.
const OWN_ETC = `mount -t tmpfs tmpfs /mnt; cp -a /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /mnt/; mount --move /mnt /etc;
ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf`
say('sh', '-ec', OWN_ETC)
const before = snapshot()
const child = spawn(process.execPath, [kt, 'up', '--debug', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
let output = ''
for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += String(text)))
const until = performance.now() + READY_MS
while (!output.includes(readyLine) && performance.now() < until && child.exitCode === null) await delay(50)

const found = Object.fromEntries(NAMES.map(name => [name, say('getent', 'ahostsv4', name).split(/\s/)[0]]))
const reverse = say('getent', 'hosts', found['nginx.demo.svc.cluster.local'] ?? '')
const link = say('resolvectl', 'domain', 'kt0')
const server = say('resolvectl', 'dns', 'kt0')
const route = say('resolvectl', 'default-route', 'kt0')
say('kubectl', 'create', 'namespace', 'names-late')
await delay(1000)
const later = say('resolvectl', 'domain', 'kt0')
say('kubectl', 'delete', 'namespace', 'names-late', '--wait=false')
const asked = [...output.matchAll(/kt:dns (\{.*\})/g)].map(([, json]) => (JSON.parse(json!) as { name: string }).name)
child.kill('SIGINT')
if (child.exitCode === null) await once(child, 'exit')
process.stdout.write(
  JSON.stringify({
    before,
    after: snapshot(),
    found,
    reverse,
    link,
    server,
    route,
    later,
    asked: [...new Set(asked)],
    output
  })
)
