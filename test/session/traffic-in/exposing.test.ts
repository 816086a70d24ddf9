// lib/session/traffic-in/exposing.ts: what is checked on the laptop before anything is changed in the cluster.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import type { CarriedPort } from '../../../lib/kube/traffic/ports.ts'
import { checkLocalPrograms, describeCarried, lives, ownProcess } from '../../../lib/session/traffic-in/exposing.ts'

const carried = (local: CarriedPort['local'], network: CarriedPort['network'] = 'tcp'): CarriedPort => ({
  port: 80,
  network,
  name: '',
  local
})

test('our own process lives; a process with another start, and none, do not', t => {
  t.true(lives(ownProcess()))
  t.false(lives(`${process.pid}/1@00000000`))
  t.false(lives('999999999/1@00000000'))
  t.false(lives(''))
  t.false(lives('/'))
})

for (const address of ['127.0.0.1', '::1']) {
  test(`a program that listens at ${address} is found, also by the default`, async t => {
    const server = createServer().listen(0, address)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await t.notThrowsAsync(checkLocalPrograms([carried({ host: '127.0.0.1', port })]))
    await t.notThrowsAsync(checkLocalPrograms([carried({ host: address, port })]))
    server.close()
    await once(server, 'close')
    const error = await t.throwsAsync(checkLocalPrograms([carried({ host: address, port })]), { instanceOf: KtError })
    t.is(error?.code, 'KT_NO_LOCAL')
    t.regex(error?.message ?? '', /nobody listens at .*; nothing has been changed/)
  })
}

test('UDP, and ports that go to the original pods, are not asked', async t => {
  await t.notThrowsAsync(checkLocalPrograms([carried(undefined), carried({ host: '127.0.0.1', port: 1 }, 'udp')]))
})

test('a port says where it leads', t => {
  t.is(describeCarried(carried({ host: '127.0.0.1', port: 8080 })), '80/tcp → 127.0.0.1:8080')
  t.is(describeCarried(carried(undefined, 'udp')), '80/udp → the original pods')
})
