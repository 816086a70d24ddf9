// The REST client's connections, against a server on loopback.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { loadCluster } from '../../../lib/kube/api/client.ts'
import { PODS } from '../../../lib/kube/api/resource.ts'
import { folder, kubeconfig, write } from '../_support/kubeconfig.ts'

test('connections are kept for the next request, and given up when the way is lost', async t => {
  let connections = 0
  const server = createServer((_request, response) => response.end('{}')).on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const file = write(folder(), 'config', kubeconfig('test', { server: `http://127.0.0.1:${port}` }))
  const cluster = await loadCluster({ kubeconfig: file })
  const ask = async (): Promise<unknown> => cluster.api.call({ ...PODS, verb: 'get', namespace: 'demo', name: 'any' })
  await ask()
  const first = connections
  await ask()
  t.is(connections, first)
  cluster.api.wayChanged()
  await ask()
  t.is(connections, first + 1)
  cluster.close()
  server.close()
})
