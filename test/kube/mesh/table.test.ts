// lib/kube/mesh/table.ts and names.ts: who is in a mesh, and what the router is told.
import test from 'ava'
import fc from 'fast-check'
import {
  admit,
  decodeMesh,
  encodeMesh,
  type Mesh,
  type Participant,
  placed,
  routesOf,
  without
} from '../../../lib/kube/mesh/table.ts'
import { meshName, routerName } from '../../../lib/kube/names.ts'

const EMPTY: Mesh = {
  format: 1,
  service: 'shop',
  token: 'abcde',
  mode: 'narrow',
  originals: 'shop-kt-stuntman.demo.svc',
  ports: [{ port: 8080, network: 'tcp', original: 8080, name: 'web' }],
  closing: false,
  participants: []
}
const someone = (version: string, more: Partial<Participant> = {}): Participant => ({
  version,
  user: 'ada',
  host: 'laptop-1',
  process: `1/${version}`,
  match: [{ header: 'version', exact: version }],
  mirror: false,
  ports: [8080],
  pod: '',
  address: '',
  ...more
})
const nobody = (): boolean => false
const versions = (mesh: Mesh | undefined): string[] => mesh?.participants.map(({ version }) => version) ?? []

test('a version has one owner, and so have conditions; who has left makes room', t => {
  const ada = someone('blue')
  const one = admit(EMPTY, ada, nobody)
  const eve = someone('blue', { user: 'eve', host: 'laptop-2', process: '2/2' })
  const error = t.throws(() => admit(one, eve, nobody), { code: 'KT_CONFLICT' })
  t.is(error?.message, "version 'blue' of service 'shop' is taken by ada on laptop-1")
  const alike = someone('green', { match: ada.match })
  t.regex(
    t.throws(() => admit(one, alike, nobody))?.message ?? '',
    /^header 'VERSION: blue' leads to version 'blue' of ada/
  )
  t.deepEqual(versions(admit(one, eve, ({ user }) => user === 'ada')), ['blue'])
  t.deepEqual(admit(one, ada, nobody), one, 'the same process twice is one')
})

test('a place is no route; an address makes it one', t => {
  const ada = someone('blue')
  const mesh = admit(EMPTY, ada, nobody)
  t.deepEqual(routesOf(mesh).routes, [])
  const there = placed(mesh, ada, 'shop-kt-mesh-blue', '10.244.1.7')
  t.deepEqual(routesOf(there!).routes, [
    {
      name: 'blue',
      owner: 'ada on laptop-1',
      match: [{ header: 'version', exact: 'blue' }],
      to: { host: '10.244.1.7', ports: { 8080: 8080 } },
      mirror: false
    }
  ])
  t.is(placed(mesh, someone('green'), 'x', '10.0.0.1'), undefined)
})

test('whoever asks for more is asked first', t => {
  const path = (pathPrefix: string): Participant['match'] => [{ pathPrefix }]
  const all = [
    someone('wide', { match: path('/shop'), address: '10.0.0.1' }),
    someone('narrow', { match: path('/shop/cart'), address: '10.0.0.2' }),
    someone('both', { match: [...path('/'), { header: 'version', exact: 'x' }], address: '10.0.0.3' })
  ]
  const mesh = { ...EMPTY, participants: all }
  t.deepEqual(
    routesOf(mesh).routes.map(({ name }) => name),
    ['both', 'narrow', 'wide']
  )
})

test('the last one out closes; those who are silent go with him, but not with others', t => {
  const [ada, eve, bob] = ['a', 'e', 'b'].map(version => someone(version)) as [Participant, Participant, Participant]
  const mesh = { ...EMPTY, participants: [ada, eve, bob] }
  const silent = ({ version }: Participant): boolean => version === 'b'
  const first = without(mesh, ada, silent)
  t.deepEqual([versions(first), first?.closing], [['e', 'b'], false])
  const last = without(first!, eve, silent)
  t.deepEqual([versions(last), last?.closing], [[], true])
  t.is(without(last!, eve, silent), undefined)
  t.is(without(mesh, someone('x'), nobody), undefined)
})

test('a mesh is read as it was written, and anything else is none', t => {
  const mesh = admit(EMPTY, someone('blue', { address: '10.0.0.1' }), nobody)
  t.deepEqual(decodeMesh(encodeMesh(mesh)), mesh)
  t.is(decodeMesh(undefined), undefined)
  for (const text of ['', '[]', '{}', 'null', '{"format":2}', JSON.stringify({ ...mesh, participants: 1 })])
    t.is(decodeMesh({ 'mesh.json': text }), undefined, text)
  t.throws(() => encodeMesh(admit(EMPTY, someone('v', { address: 'not an address' }), nobody)), { code: 'KT_INTERNAL' })
})

test('names of any service and version are names of pods, and no two versions share one', t => {
  const service = fc.stringMatching(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
  const version = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/)
  fc.assert(
    fc.property(service, version, version, (name, a, b) => {
      const names = [routerName(name), meshName(name, a), meshName(name, b)]
      const valid = names.every(text => text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text))
      return valid && (a === b) === (names[1] === names[2])
    })
  )
  t.is(meshName('shop', 'blue'), 'shop-kt-mesh-blue')
  t.is(routerName('shop'), 'shop-kt-router')
})
