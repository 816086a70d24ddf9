// lib/kube/traffic/ports.ts: --expose against the ports that a service has.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { KtError } from '../../../lib/errors.ts'
import type { Pod, Service } from '../../../lib/kube/api/client.ts'
import {
  carriedPorts,
  describePorts,
  parseExpose,
  previewPorts,
  servicePorts
} from '../../../lib/kube/traffic/ports.ts'

const SERVICE: Service = {
  spec: {
    ports: [
      { name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' },
      { name: 'grpc', port: 8080, targetPort: 9090, protocol: 'TCP' },
      { name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, targetPort: 5353, protocol: 'TCP' },
      { name: 'sctp', port: 1, protocol: 'SCTP' }
    ]
  }
}
const PODS: Pod[] = [
  {
    spec: { containers: [{ name: 'sidecar' }, { name: 'app', ports: [{ name: 'web', containerPort: 8080 }] }] }
  }
]
const PORTS = servicePorts(SERVICE, PODS)

/** Of what is carried, that which goes to the laptop. */
function toLaptop(list: string): string[] {
  return carriedPorts('shop', PORTS, parseExpose(list))
    .filter(({ local }) => local !== undefined)
    .map(({ port, network, local }) => `${port}/${network} ${local?.host}:${local?.port}`)
}

function usageError(t: ExecutionContext, f: () => unknown): KtError {
  const error = t.throws(f, { instanceOf: KtError })!
  t.is(error.code, 'KT_USAGE')
  t.false(error.message.includes('\n'))
  return error
}

for (const [list, expected] of [
  ['3000:80', ['8080/tcp 127.0.0.1:3000']],
  ['3000:http', ['8080/tcp 127.0.0.1:3000']],
  ['3000:web', ['8080/tcp 127.0.0.1:3000']],
  ['3000:grpc', ['9090/tcp 127.0.0.1:3000']],
  ['9090', ['9090/tcp 127.0.0.1:9090']], // by its targetPort
  ['8080', ['9090/tcp 127.0.0.1:8080']], // the service's port wins over the container's
  ['53/udp', ['5353/udp 127.0.0.1:53']],
  ['1053:53/udp, 1054:53', ['5353/udp 127.0.0.1:1053', '5353/tcp 127.0.0.1:1054']],
  ['10.0.0.9:3000:80', ['8080/tcp 10.0.0.9:3000']],
  ['localhost:3000:80', ['8080/tcp localhost:3000']],
  ['[::1]:3000:80', ['8080/tcp ::1:3000']],
  ['[::1]:9090', ['9090/tcp ::1:9090']]
] as const) {
  test(`--expose ${list}`, t => {
    t.deepEqual(toLaptop(list), [...expected])
  })
}

for (const list of [
  '',
  ',',
  'x',
  '0',
  '65536',
  '80:',
  ':80',
  '1:2:3:4',
  '80/sctp',
  '80/',
  '[x]:1:2',
  '-1',
  '1.5',
  '80:a b'
]) {
  test(`--expose "${list}" cannot be read`, t => {
    t.regex(usageError(t, () => parseExpose(list)).message, /cannot be read/)
  })
}

test('all ports are carried, each once, with the name the service asks for', t => {
  t.deepEqual(carriedPorts('shop', PORTS, parseExpose('3000:80')), [
    { port: 8080, network: 'tcp', name: 'web', local: { host: '127.0.0.1', port: 3000 } },
    { port: 9090, network: 'tcp', name: '', local: undefined },
    { port: 5353, network: 'udp', name: '', local: undefined },
    { port: 5353, network: 'tcp', name: '', local: undefined }
  ])
})

test('two ports of the service on one container port are one', t => {
  const ports = servicePorts(
    {
      spec: {
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 81, targetPort: 'web' }
        ]
      }
    },
    PODS
  )
  t.deepEqual(carriedPorts('shop', ports, parseExpose('3000:81')), [
    { port: 8080, network: 'tcp', name: 'web', local: { host: '127.0.0.1', port: 3000 } }
  ])
})

test('a port that is not there: the message lists those that are, the hint gives a command', t => {
  const error = usageError(t, () => toLaptop('3000'))
  t.regex(error.message, /has no port 3000; it has: http 80 → web, grpc 8080 → 9090, dns 53\/udp → 5353/)
  t.regex(error.hint, /--expose 3000:80/)
})

test('the other protocol is suggested', t => {
  const udpOnly = servicePorts({ spec: { ports: [{ port: 53, protocol: 'UDP' }] } }, [])
  const error = usageError(t, () => carriedPorts('shop', udpOnly, parseExpose('53')))
  t.regex(error.hint, /--expose 53:53\/udp/)
})

test('the same port twice is refused', t => {
  usageError(t, () => toLaptop('3000:80,3001:http'))
  usageError(t, () => previewPorts(parseExpose('3000:80,3001:80')))
})

test('a named port that no pod has', t => {
  const error = t.throws(() => carriedPorts('shop', servicePorts(SERVICE, []), parseExpose('1:80')), {
    instanceOf: KtError
  })
  t.is(error?.code, 'KT_NOT_FOUND')
})

test('a new service: numbers only, both networks of one number', t => {
  t.deepEqual(previewPorts(parseExpose('3000:80,53/udp,53')), [
    { port: 80, network: 'tcp', name: '', local: { host: '127.0.0.1', port: 3000 } },
    { port: 53, network: 'udp', name: '', local: { host: '127.0.0.1', port: 53 } },
    { port: 53, network: 'tcp', name: '', local: { host: '127.0.0.1', port: 53 } }
  ])
  usageError(t, () => previewPorts(parseExpose('3000:http')))
})

test('ports are described with what differs', t => {
  t.is(describePorts(PORTS), 'http 80 → web, grpc 8080 → 9090, dns 53/udp → 5353, dns-tcp 53 → 5353')
})

test('what can be written can be read, and nothing else throws anything but KT_USAGE', t => {
  const port = fc.integer({ min: 1, max: 65535 })
  fc.assert(
    fc.property(port, port, fc.boolean(), (local, remote, udp) => {
      const [one] = parseExpose(`${local}:${remote}${udp ? '/udp' : ''}`)
      return one?.port === local && one.remote === String(remote) && one.network === (udp ? 'udp' : 'tcp')
    })
  )
  fc.assert(
    fc.property(fc.string(), text => {
      try {
        return parseExpose(text).length > 0
      } catch (error) {
        return error instanceof KtError && error.code === 'KT_USAGE'
      }
    })
  )
  t.pass()
})
