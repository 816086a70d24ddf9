import test from 'ava'
import { KtError } from '../../../lib/errors.ts'
import { type DnsMode, parseDnsMode, upstreamsOf } from '../../../lib/session/network/dns-mode.ts'

const MODES: Record<string, [mode: DnsMode, notes: number]> = {
  localDNS: [{ kind: 'localDNS' }, 0],
  localdns: [{ kind: 'localDNS' }, 0],
  'localDNS:cluster,upstream': [{ kind: 'localDNS', upstreams: ['upstream'] }, 0],
  'localDNS:cluster': [{ kind: 'localDNS' }, 0],
  'localDNS:upstream,cluster': [{ kind: 'localDNS', upstreams: ['upstream'] }, 1],
  'localDNS:cluster, 192.0.2.1, fd00::1': [{ kind: 'localDNS', upstreams: ['192.0.2.1', 'fd00::1'] }, 0],
  'localDNS:cluster,192.0.2.1:5353,upstream:54': [
    { kind: 'localDNS', upstreams: ['192.0.2.1:5353', 'upstream:54'] },
    0
  ],
  'localDNS:cluster,tcp:192.0.2.1': [{ kind: 'localDNS', upstreams: ['192.0.2.1'] }, 1],
  'localDNS:cluster,udp:[fd00::1]:53': [{ kind: 'localDNS', upstreams: ['[fd00::1]:53'] }, 1],
  podDNS: [{ kind: 'localDNS' }, 1],
  hosts: [{ kind: 'hosts', namespaces: [] }, 0],
  'hosts:shop, pay': [{ kind: 'hosts', namespaces: ['shop', 'pay'] }, 0],
  none: [{ kind: 'none' }, 0]
}

for (const [text, [mode, notes]] of Object.entries(MODES)) {
  test(`${text} → ${JSON.stringify(mode)}, ${notes} notes`, t => {
    const parsed = parseDnsMode(text)
    t.deepEqual(parsed.mode, mode)
    t.is(parsed.notes.length, notes)
  })
}

for (const text of [
  '',
  'hostsfile',
  'localDNS:cluster,dns.example.test',
  'localDNS:1.2.3.4:0',
  'localDNS:1.2.3.4:70000',
  'hosts:A',
  'none:x'
]) {
  test(`${text}: one line that says what is wrong`, t => {
    const error = t.throws(() => parseDnsMode(text), { instanceOf: KtError })
    t.is(error.code, 'KT_USAGE')
    t.regex(error.hint, /localDNS/)
  })
}

test('upstream stands for the servers that the laptop had, each of them once', t => {
  const own = ['192.0.2.53', 'fd00::53']
  t.deepEqual(upstreamsOf(undefined, own), own)
  t.deepEqual(upstreamsOf(['192.0.2.1', 'upstream', '192.0.2.53'], own), ['192.0.2.1', ...own])
  t.deepEqual(upstreamsOf(['upstream:5353'], own), ['192.0.2.53:5353', '[fd00::53]:5353'])
  t.deepEqual(upstreamsOf(['192.0.2.1:5353'], own), ['192.0.2.1:5353'])
})
