// lib/session/traffic-in/mesh.ts: which ports look like TLS to somebody who only knows what Kubernetes is told about them.
import test from 'ava'
import { looksLikeTls } from '../../../lib/session/traffic-in/mesh.ts'

test('TLS by number, by name and by protocol', t => {
  for (const port of [
    { port: 443 },
    { port: 8443, name: 'https' },
    { port: 8443, name: 'https-web' },
    { port: 8443, name: 'web-tls' },
    { port: 8443, appProtocol: 'https' },
    { port: 8443, appProtocol: 'kubernetes.io/wss' }
  ])
    t.true(looksLikeTls(port), JSON.stringify(port))
  for (const port of [
    { port: 80 },
    { port: 8080, name: 'http' },
    { port: 8080, name: 'httpsome' },
    { port: 50_051, name: 'grpc', appProtocol: 'kubernetes.io/h2c' }
  ])
    t.false(looksLikeTls(port), JSON.stringify(port))
})
