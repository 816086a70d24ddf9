import test from 'ava'
import { nodeFinding } from '../../lib/check/laptop.ts'
import { fullName } from '../../lib/check/namespace.ts'

test('Node: what package.json asks for', t => {
  const rows: [string, string][] = [
    ['18.20.0', 'fault'],
    ['20.20.2', 'fault'],
    ['22.19.9', 'fault'],
    ['22.20.0', 'ok'],
    ['23.11.0', 'fault'],
    ['24.11.1', 'fault'],
    ['24.12.0', 'ok'],
    ['25.0.0', 'ok']
  ]
  for (const [version, verdict] of rows) t.is(nodeFinding(version).verdict, verdict as 'ok', version)
  t.regex(nodeFinding('20.1.0').fix, /\^22\.20 or ≥ 24\.12/)
})

test('names of images in full, as nodes report them', t => {
  const rows: [string, string][] = [
    ['node', 'docker.io/library/node:latest'],
    ['node:24-alpine', 'docker.io/library/node:24-alpine'],
    ['me/node:1', 'docker.io/me/node:1'],
    ['registry.example/node', 'registry.example/node:latest'],
    ['registry.example:5000/a/node:1', 'registry.example:5000/a/node:1'],
    ['localhost/node@sha256:abc', 'localhost/node@sha256:abc'],
    ['kt.local/node:20', 'kt.local/node:20']
  ]
  for (const [image, full] of rows) t.is(fullName(image), full)
})
