import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { buildProgram } from '../../lib/commands/main.ts'
import { findProjectFile, readProjectFile } from '../../lib/commands/project-file.ts'

const program = buildProgram(() => {})

function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'kt-project-')), '.kt.yaml')
  writeFileSync(path, text)
  return path
}

test('each entry is a command line', t => {
  const path = file(`
namespace: shop
exchange:
  - target: cart
    expose: [3000:80, 9090]
    fallback: true
    takeover: false
mesh:
  - { target: pay, expose: 8080, versionMark: alice }
preview:
  - { name: next, expose: 3000 }
`)
  t.deepEqual(readProjectFile(path, program), [
    {
      title: 'exchange cart',
      argv: ['exchange', 'cart', '--namespace', 'shop', '--expose', '3000:80,9090', '--fallback']
    },
    { title: 'mesh pay', argv: ['mesh', 'pay', '--namespace', 'shop', '--expose', '8080', '--versionMark', 'alice'] },
    { title: 'preview next', argv: ['preview', 'next', '--namespace', 'shop', '--expose', '3000'] }
  ])
})

test('what holds for every pod stands at the top', t => {
  const path = file('nodeSelector: disk=fast\npodCreationTimeout: 90\npreview: [{ name: next, expose: 3000 }]')
  const argv = ['preview', 'next', '--nodeSelector', 'disk=fast', '--podCreationTimeout', '90', '--expose', '3000']
  t.deepEqual(readProjectFile(path, program), [{ title: 'preview next', argv }])
})

test('what is wrong is said with the file', t => {
  const wrong: [string, RegExp][] = [
    ['', /the file is not a map/],
    ['exchange: cart', /exchange is not a list/],
    ['exchange: [{expose: 1}]', /an entry of exchange has no target/],
    ['exchange: [{target: a, nonsense: 1}]', /exchange a: there is no flag --nonsense/],
    ['swap: []', /"swap" is none of kubeconfig, context, namespace, via, image, .*, exchange, mesh, preview/],
    ['namespace: x', /it asks for nothing/],
    ['a: [', /\.kt\.yaml: /]
  ]
  for (const [text, message] of wrong) {
    const path = file(text)
    const error = t.throws(() => readProjectFile(path, program), { message })
    t.like(error, { code: 'KT_USAGE' })
    t.true(error?.message.startsWith(path))
  }
})

test('the nearest file upwards is meant', t => {
  const path = file('exchange: []')
  const below = join(path, '../a/b')
  mkdirSync(below, { recursive: true })
  t.is(findProjectFile(below), path)
  t.throws(() => findProjectFile('/proc'), { message: /there is no \.kt\.yaml here or above/ })
})
