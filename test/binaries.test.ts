// package-lock.json serves every system: what is compiled comes as packages of their own, of which npm takes those for the computer it runs on.
import { readFileSync } from 'node:fs'
import test from 'ava'

interface Locked {
  version?: string
  integrity?: string
  os?: string[]
  cpu?: string[]
  optionalDependencies?: Record<string, string>
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> }

for (const os of ['linux', 'darwin', 'win32']) {
  for (const cpu of ['x64', 'arm64']) {
    test(`koffi is there for ${os} on ${cpu}`, t => {
      const binary = packages[`node_modules/@koromix/koffi-${os}-${cpu}`]
      t.like(binary, { version: packages['node_modules/koffi']?.version ?? '', os: [os], cpu: [cpu] })
      t.regex(binary?.integrity ?? '', /^sha512-/)
    })
  }
}

test('no package for another system is missing', t => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter(name => packages[`node_modules/${name}`] === undefined)
      .filter(name => packages[`${path}/node_modules/${name}`] === undefined)
      .map(name => `${path} → ${name}`)
  )
  t.deepEqual(missing, [])
})
