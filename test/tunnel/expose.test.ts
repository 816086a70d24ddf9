import test from 'ava'
import fc from 'fast-check'
import { agentPorts, type ExposeConfig, parseExpose } from '../../lib/tunnel/expose.ts'

const PORT = { port: 8080, network: 'tcp', to: 'laptop', original: 8080, fallback: false } as const
const CONFIG: ExposeConfig = { originals: 'web-kt-stuntman.demo.svc.cluster.local', ports: [PORT] }

test('a configuration survives', t => {
  t.deepEqual(parseExpose(JSON.stringify(CONFIG)), CONFIG)
  const both: ExposeConfig = {
    originals: '',
    graceSeconds: 0.5,
    ports: [PORT, { ...PORT, network: 'udp', fallback: true }]
  }
  t.deepEqual(parseExpose(JSON.stringify(both)), both)
})

test('what is wrong is named, in one line', t => {
  const wrong = (change: object, port: object = {}): string => {
    const text = JSON.stringify({ ...CONFIG, ports: [{ ...PORT, ...port }], ...change })
    return t.throws(() => parseExpose(text)).message
  }
  t.is(t.throws(() => parseExpose('')).message, 'the configuration must be JSON')
  t.is(t.throws(() => parseExpose('[]')).message, 'the configuration must be an object')
  t.is(wrong({ originals: 'a b' }), 'originals must be a name')
  t.is(wrong({ originals: undefined }), 'originals must be a name')
  t.is(wrong({ surprise: 1 }), 'the configuration must be without "surprise"')
  t.is(wrong({ graceSeconds: 0 }), 'graceSeconds must be a number up to 60')
  t.is(wrong({ ports: [PORT, PORT] }), 'ports must be each port once')
  t.is(wrong({}, { port: 65_536 }), 'ports[0].port must be a port')
  t.is(wrong({}, { original: '80' }), 'ports[0].original must be a port')
  t.is(wrong({}, { network: 'sctp' }), 'ports[0].network must be "tcp" or "udp"')
  t.is(wrong({}, { to: 'nobody' }), 'ports[0].to must be "laptop" or "originals"')
  t.is(wrong({}, { fallback: undefined }), 'ports[0].fallback must be true or false')
  t.is(wrong({}, { more: 1 }), 'ports[0] must be without "more"')
  t.is(wrong({ originals: '' }, { to: 'originals' }), 'originals must be a name: a port goes there')
})

test('whatever the text is, the error is one line', t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      try {
        parseExpose(text)
        return true
      } catch (error) {
        return error instanceof Error && !error.message.includes('\n')
      }
    })
  )
  t.pass()
})

test('the agent’s own ports keep out of the way', t => {
  t.deepEqual(agentPorts(), { session: 7070, ready: 7071, ssh: 7022 })
  t.deepEqual(agentPorts({ ...CONFIG, ports: [{ ...PORT, port: 7070 }] }), { session: 7071, ready: 7072, ssh: 7022 })
  t.deepEqual(agentPorts({ ...CONFIG, ports: [{ ...PORT, port: 7071 }] }), { session: 7070, ready: 7072, ssh: 7022 })
  t.is(agentPorts({ ...CONFIG, ports: [{ ...PORT, port: 7022 }] }).ssh, 7023)
  t.deepEqual(agentPorts({ ...CONFIG, ports: [{ ...PORT, port: 7070, network: 'udp' }] }).session, 7070)
})
