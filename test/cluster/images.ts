// The images of the test cluster, made of this machine's own Debian files: no docker, no registry.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { type ImageConfig, ociImage } from './oci.ts'
import { run } from './run.ts'
import { TarWriter } from './tar.ts'

/** What an image is made of. */
interface ImageSource extends ImageConfig {
  /** Name of its tar. */
  tar: string
  /** /etc, /tmp and busybox under it. */
  base: boolean
  /** Programs with the shared libraries they need; `[source, path]` where the path differs. */
  programs: (string | [source: string, path: string])[]
  /** Files and folders: source, path in the image. */
  files: [source: string, path: string][]
  /** Empty folders that everybody may write. */
  writable?: string[]
}

/** The node image must run the agent, which asks for this. */
const OLDEST_NODE = 20
const HERE = import.meta.dirname

/** Tars that every node imports, the ones that the system needs first. */
export const IMAGE_TARS = ['pause', 'coredns', 'nginx', 'node', 'net']

const ETC = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\n',
  'nsswitch.conf': 'hosts: files dns\n'
}

function sources(directory: string, binaries: string, node: string): ImageSource[] {
  const nginx = join(directory, 'x/nginx')
  const plain = { base: false, programs: [], files: [] }
  return [
    {
      ...plain,
      tar: 'pause',
      name: 'kt.local/pause:1',
      files: [[join(directory, 'pause'), '/pause']],
      entrypoint: ['/pause']
    },
    {
      ...plain,
      tar: 'coredns',
      name: 'kt.local/coredns:1',
      files: [[join(binaries, 'coredns'), '/coredns']],
      entrypoint: ['/coredns']
    },
    {
      tar: 'node',
      name: 'kt.local/node:20',
      base: true,
      programs: [[node, '/usr/bin/node']],
      files: ['echo.mjs', 'random.mjs', 'websocket.mjs', 'sockets.mjs'].map(name => [
        join(HERE, 'images', name),
        `/app/${name}`
      ]),
      command: ['/usr/bin/node', '/app/echo.mjs']
    },
    {
      tar: 'nginx',
      name: 'kt.local/nginx:1',
      base: true,
      programs: [[join(nginx, 'usr/sbin/nginx'), '/usr/sbin/nginx']],
      files: [
        [join(HERE, 'images/nginx.conf'), '/etc/nginx/nginx.conf'],
        [join(nginx, 'etc/nginx'), '/etc/nginx']
      ],
      writable: ['/var/log/nginx', '/var/lib/nginx', '/data'],
      command: ['/usr/sbin/nginx']
    },
    {
      tar: 'net',
      name: 'kt.local/net:1',
      base: true,
      programs: [
        ...['/usr/bin/iperf3', '/usr/bin/socat', '/usr/bin/curl', '/usr/bin/rsync', '/usr/bin/redis-cli'],
        ['/usr/bin/redis-check-rdb', '/usr/bin/redis-server'] // Debian's redis-server is a link to this one
      ],
      files: [],
      command: ['/bin/sleep', '1000000']
    }
  ]
}

/** Make the tars that are missing or whose parts have changed; returns the names of those made. */
export async function makeImages(directory: string, binaries: string): Promise<string[]> {
  mkdirSync(directory, { recursive: true })
  await fetchNginx(directory)
  const pause = join(directory, 'pause')
  if (!existsSync(pause)) await run('gcc', ['-Os', '-static', '-s', '-o', pause, join(HERE, 'images/pause.c')])
  const made: string[] = []
  for (const source of sources(directory, binaries, await nodeForPods())) {
    const [tar, keyFile] = [join(directory, `${source.tar}.tar`), join(directory, `${source.tar}.key`)]
    const key = fingerprint(source)
    if (existsSync(tar) && existsSync(keyFile) && readFileSync(keyFile, 'utf8') === key) continue
    writeFileSync(`${tar}.new`, ociImage(source, await layer(source)))
    renameSync(`${tar}.new`, tar) // a node that is starting beside us reads the old one or the new one
    writeFileSync(keyFile, key)
    made.push(source.name)
  }
  return made
}

/** Debian's nginx is unpacked, not installed: installing it would start it on this machine. */
async function fetchNginx(directory: string): Promise<void> {
  const [debs, root] = [join(directory, 'debs'), join(directory, 'x/nginx')]
  if (existsSync(join(root, 'usr/sbin/nginx'))) return
  mkdirSync(debs, { recursive: true })
  mkdirSync(root, { recursive: true })
  await run('apt-get', ['download', 'nginx', 'nginx-common'], { cwd: debs })
  for (const name of readdirSync(debs).filter(name => name.startsWith('nginx')))
    await run('dpkg', ['-x', join(debs, name), root])
}

/** The system's node when it is new enough for the agent, else the one that runs this program. */
async function nodeForPods(): Promise<string> {
  for (const candidate of ['/usr/bin/node', '/usr/local/bin/node']) {
    const version = await run(candidate, ['--version']).catch(() => '')
    if (Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) >= OLDEST_NODE) return realpathSync(candidate)
  }
  return process.execPath
}

async function layer(source: ImageSource): Promise<Buffer> {
  const tar = new TarWriter()
  if (source.base) addBase(tar, (await run('/bin/busybox', ['--list'])).trim().split('\n'))
  for (const path of source.writable ?? []) tar.directory(path, 0o1777)
  const programs = source.programs.map(program =>
    typeof program === 'string' ? ([program, program] as const) : program
  )
  for (const [from, path] of programs) tar.copy(realpathSync(from), path)
  for (const library of await libraries(programs.map(([from]) => from))) tar.copy(library, library)
  for (const [from, path] of source.files) tar.copy(from, path)
  return tar.end()
}

function addBase(tar: TarWriter, applets: string[]): void {
  for (const [name, text] of Object.entries(ETC)) tar.file(`/etc/${name}`, Buffer.from(text))
  tar.directory('/tmp', 0o1777)
  tar.copy('/bin/busybox', '/bin/busybox')
  for (const applet of applets) tar.symlink(`/bin/${applet}`, 'busybox')
}

/** Shared libraries and loaders of programs, and what glibc opens for names. */
async function libraries(programs: string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const program of programs) {
    for (const [path] of (await run('ldd', [program])).matchAll(/\/[^ )]+/g)) if (!path.endsWith(':')) found.add(path)
  }
  const triplet = process.arch === 'x64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu'
  if (found.size > 0)
    for (const name of ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2']) found.add(`/lib/${triplet}/${name}`)
  return [...found].filter(path => existsSync(path))
}

/** Changes when a part of the image does, or the code that puts it together. Sizes and times stand for contents. */
function fingerprint(source: ImageSource): string {
  const hash = createHash('sha256').update(JSON.stringify(source))
  for (const code of ['images.ts', 'oci.ts', 'tar.ts']) hash.update(readFileSync(join(HERE, code)))
  const paths = [
    ...source.programs.map(program => (typeof program === 'string' ? program : program[0])),
    ...source.files.map(([from]) => from)
  ]
  for (const path of paths) {
    const { size, mtimeMs } = statSync(path)
    hash.update(`${path} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex')
}
