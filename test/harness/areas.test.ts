import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { findAreas } from '../e2e/_support/areas.ts'

test('areas are folders; those with a _ and files are none; area.json asks for clusters', t => {
  const directory = mkdtempSync(join(tmpdir(), 'kt-areas-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const name of ['up', '_support', 'mesh']) mkdirSync(join(directory, name))
  writeFileSync(join(directory, 'run.ts'), '')
  writeFileSync(join(directory, 'up/area.json'), '{ "clusters": ["main", "dual-stack"], "concurrency": 3 }')
  writeFileSync(join(directory, 'mesh/area.json'), '{ "lane": 1 }')
  t.deepEqual(findAreas(directory), [
    { name: 'mesh', clusters: ['main'], concurrency: 1, lane: 1 },
    { name: 'up', clusters: ['main', 'dual-stack'], concurrency: 3, lane: 0 }
  ])
  writeFileSync(join(directory, 'mesh/area.json'), '{ "clusters": ["moon"] }')
  t.throws(() => findAreas(directory), { message: /no such cluster: moon/ })
  writeFileSync(join(directory, 'mesh/area.json'), '{ "lane": 7 }')
  t.throws(() => findAreas(directory), { message: /no such lane: 7/ })
  writeFileSync(join(directory, 'mesh/area.json'), '{ "lane": 1, "clusters": ["dual-stack"] }')
  t.throws(() => findAreas(directory), { message: /lane 0's/ })
})
