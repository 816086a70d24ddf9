// Runs beside a systemd-resolved on the laptop: two kt in here, what programs find with both, with the second alone, and what is left.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const [kt = '', east = '', west = '', ...args] = process.argv.slice(2)
const LIMIT_MS = 60_000
const NAMES = ['nginx.demo', 'nginx.east.kt', 'nginx.demo.west.kt', 'only-west', 'only-west.demo', 'www.example.test']

function say(command: string, ...words: string[]): string {
  const { stdout } = spawnSync(command, words, { encoding: 'utf8', timeout: LIMIT_MS })
  return stdout.trim()
}

const snapshot = (): string =>
  [say('resolvectl', 'dns'), say('resolvectl', 'domain'), readFileSync('/etc/resolv.conf', 'latin1')].join('\n')
const find = (): Record<string, string> =>
  Object.fromEntries(NAMES.map(name => [name, say('getent', 'ahostsv4', name).split(/\s/)[0] ?? '']))
const run = (...words: string[]): string =>
  execFileSync(process.execPath, [kt, ...words], { encoding: 'utf8', timeout: LIMIT_MS })

// As every distribution sets it up: /etc/resolv.conf is a link to a file of systemd-resolved.
const OWN_ETC = `mount -t tmpfs tmpfs /mnt; cp -a /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /mnt/; mount --move /mnt /etc;
ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf`
say('sh', '-ec', OWN_ETC)
const before = snapshot()
run('up', '-D', '-c', east, '-n', 'demo', ...args)
const started = run('up', '-D', '-c', west, '-n', 'demo', ...args)
const both = find()
const domains = say('resolvectl', 'domain')
run('down', '--context', 'east')
const alone = find()
run('down')
process.stdout.write(JSON.stringify({ before, after: snapshot(), both, domains, alone, started }))
