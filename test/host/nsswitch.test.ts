// nsswitch.conf(5) without a module that would answer from outside.
import test from 'ava'
import { withoutHostsModule } from '../../lib/host/nsswitch.ts'

const CASES: [name: string, before: string, after: string][] = [
  ['Fedora', 'hosts: files myhostname resolve [!UNAVAIL=return] dns', 'hosts: files myhostname dns '],
  [
    'Arch',
    'hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns',
    'hosts: mymachines files myhostname dns '
  ],
  ['no other module asks the DNS', 'hosts: files resolve', 'hosts: files dns '],
  [
    'several actions',
    'hosts: resolve [!UNAVAIL=return SUCCESS=merge] [NOTFOUND=return] dns',
    'hosts: [NOTFOUND=return] dns '
  ],
  [
    'actions of others stay',
    'hosts: files mdns4_minimal [NOTFOUND=return] resolve dns # resolve',
    'hosts: files mdns4_minimal [NOTFOUND=return] dns # resolve'
  ],
  ['Debian', 'hosts:          files dns', 'hosts:          files dns'],
  [
    'other databases',
    'passwd: files systemd\n# hosts: resolve\nhosts: dns\n',
    'passwd: files systemd\n# hosts: resolve\nhosts: dns\n'
  ],
  ['nothing', '', '']
]

for (const [name, before, after] of CASES) {
  test(`without resolve: ${name}`, t => {
    t.is(withoutHostsModule(before, 'resolve'), after)
  })
}

test('every other line stays byte by byte', t => {
  const text = 'passwd:\tfiles\nhosts:\tresolve dns\n\nnetworks: files\n'
  t.is(withoutHostsModule(text, 'resolve'), 'passwd:\tfiles\nhosts: dns \n\nnetworks: files\n')
})
