// Who may know whom. A folder that is not listed here assembles the others and is free.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'

interface Rule {
  /** Folders and files of `lib`, packages, `node:` modules; `node:*` is all of them. The folder itself always is allowed. */
  may: string[]
  /** Files of other folders whose types may be imported. */
  types?: string[]
}

/** What everybody may use who is not part of the pure core. */
const COMMON = ['errors.ts', 'http.ts', 'trace.ts', 'version.ts']

const RULES: Record<string, Rule> = {
  'lib/wire': { may: [] },
  'lib/tcp': { may: ['wire', 'blocks.ts'] },
  'lib/udp': { may: ['wire'] },
  'lib/mux': { may: ['node:stream', 'blocks.ts'] },
  'lib/tunnel': { may: ['mux', 'node:stream', 'node:crypto'] },
  'lib/tun': { may: ['node:*', 'koffi', ...COMMON] },
  'lib/stack': {
    may: ['wire', 'tcp', 'udp', 'blocks.ts', 'node:stream', 'node:crypto', ...COMMON],
    types: ['tun/device.ts']
  },
  'lib/dns': { may: ['node:*', 'dns-packet', 'wire/address.ts', ...COMMON] },
  'lib/proxy': { may: ['node:*', 'tunnel', 'wire/address.ts', ...COMMON] },
  'lib/kube': {
    may: [
      'node:*',
      '@kubernetes/client-node',
      'ip-address',
      'js-yaml',
      'socks',
      'router/config.ts',
      'router/linear.ts',
      'ssh',
      'ssh2',
      ...COMMON
    ],
    types: ['dns/cluster-names.ts', 'tunnel/expose.ts']
  },
  'lib/host': { may: ['node:*', 'ip-address', ...COMMON] },
  'lib/dashboard': { may: ['node:*', 'fastify', '@preact/signals', ...COMMON], types: ['stack/facts.ts'] },
  'lib/router': { may: ['node:v8', 'tunnel/fields.ts'] },
  'lib/ssh': { may: ['node:*', 'ssh2', 'host', ...COMMON] },
  'shadow-agent': { may: ['mux', 'tunnel', 'router', 'blocks.ts', 'node:*'] },
  // A bundle of its own.
  'shadow-agent/ssh': { may: ['tunnel/join.ts', 'ssh/channel-stream.ts', 'ssh/key-pair.ts', 'ssh2', 'node:*'] }
}

/** The two or three hardest files may be as long as this. */
const MAX_LINES = 400

interface Import {
  file: string
  /** A path below `lib`, or the name of a package or `node:` module. */
  target: string
  isType: boolean
}

const SOURCES = globSync(['lib/**/*.ts', 'shadow-agent/**/*.ts', 'bin/**/*.ts'])

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found: Import[] = []
  for (const [, type, from] of text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)) {
    found.push({ file, target: resolve(file, from!), isType: type !== undefined })
  }
  for (const [, from] of text.matchAll(/\bimport\(\s*'([^']+)'/g)) {
    found.push({ file, target: resolve(file, from!), isType: false })
  }
  return found
}

function resolve(file: string, from: string): string {
  return from.startsWith('.') ? join(dirname(file), from).replace(/^lib\//, '') : from
}

/** `lib/tcp/seq.ts` → `lib/tcp`; `shadow-agent/main.ts` → `shadow-agent`. */
function folderOf(file: string): string {
  if (file.startsWith('shadow-agent/ssh/')) return 'shadow-agent/ssh'
  return file
    .split('/')
    .slice(0, file.startsWith('lib/') ? 2 : 1)
    .join('/')
}

function allowed({ file, target, isType }: Import, { may, types = [] }: Rule): boolean {
  const own = folderOf(file).replace(/^lib\//, '')
  const names = [own, ...may, ...(isType ? types : [])]
  return names.some(
    name => target === name || target.startsWith(`${name}/`) || (name === 'node:*' && target.startsWith('node:'))
  )
}

for (const [folder, rule] of Object.entries(RULES)) {
  test(`${folder} imports from ${['itself', ...rule.may].join(', ')} only`, t => {
    const wrong = SOURCES.filter(file => folderOf(file) === folder)
      .flatMap(importsOf)
      .filter(i => !allowed(i, rule))
    t.deepEqual(
      wrong.map(i => `${i.file} imports ${i.target}`),
      []
    )
  })
}

test('folders do not import each other in a circle', t => {
  const edges = new Map<string, Set<string>>()
  for (const file of SOURCES.filter(f => f.startsWith('lib/'))) {
    const from = folderOf(file)
    for (const { target } of importsOf(file)) {
      const to = folderOf(`lib/${target}`)
      if (to === from || globSync(`lib/${target}`).length === 0) continue
      edges.set(from, (edges.get(from) ?? new Set()).add(to))
    }
  }
  const circles: string[] = []
  const walk = (path: string[]): void => {
    for (const next of edges.get(path.at(-1)!) ?? []) {
      if (next === path[0]) circles.push([...path, next].join(' → '))
      else if (!path.includes(next)) walk([...path, next])
    }
  }
  for (const folder of edges.keys()) walk([folder])
  t.deepEqual(circles, [])
})

test(`no file is longer than ${MAX_LINES} lines`, t => {
  const long = SOURCES.map(file => [file, readFileSync(file, 'utf8').split('\n').length - 1] as const)
  t.deepEqual(
    long.filter(([, lines]) => lines > MAX_LINES),
    []
  )
})

test('the table speaks of folders that exist', t => {
  const folders = new Set(SOURCES.map(folderOf))
  t.deepEqual(
    Object.keys(RULES).filter(folder => !folders.has(folder)),
    []
  )
})
