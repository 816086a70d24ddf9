// $(VAR), quantities, and who takes part in what: the pure parts behind kt env and kt birdseye.

import test from 'ava'
import fc from 'fast-check'
import { expand } from '../../../lib/kube/environment/expand.ts'
import { divided, parseQuantity } from '../../../lib/kube/environment/quantity.ts'
import { birdseye } from '../../../lib/kube/traffic/birdseye.ts'

test('$(VAR) as the kubelet expands it', t => {
  const known = (name: string): string | undefined => ({ A: '1', B: '$(A)' })[name]
  const rows: [string, string][] = [
    ['$(A)', '1'],
    ['x$(A)y$(B)', 'x1y$(A)'],
    ['$(C)', '$(C)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$$$$(A)', '$$(A)'],
    ['$A $', '$A $'],
    ['$(A', '$(A'],
    ['$()', '$()']
  ]
  for (const [text, wanted] of rows) t.is(expand(text, known), wanted, text)
})

test('a text without dollars stays', t => {
  fc.assert(
    fc.property(
      fc.string().filter(text => !text.includes('$')),
      text => expand(text, () => 'x') === text
    )
  )
  t.pass()
})

test('quantities', t => {
  const rows: [string, number | undefined][] = [
    ['500m', 0.5],
    ['128Mi', 134_217_728],
    ['1.5G', 1.5e9],
    ['1e3', 1000],
    ['2E', 2e18],
    ['.5', 0.5],
    ['x', undefined],
    ['1mi', undefined]
  ]
  for (const [text, value] of rows) t.is(parseQuantity(text), value, text)
  t.is(divided('500m', '1'), '1')
  t.is(divided('300m', '1m'), '300')
  t.is(divided('128Mi', '1Mi'), '128')
  t.is(divided('100M', '1Mi'), '96')
  t.is(divided('2', '0'), '2')
  t.is(divided('much', '1'), undefined)
})

const seconds = (ago: number): string => String(Math.floor(Date.now() / 1000) - ago)

test('birdseye: who has which service, kt and kt-connect', t => {
  const service = (name: string, more: object = {}): object => ({
    metadata: { name },
    spec: { selector: { app: name } },
    ...more
  })
  const shadow = (name: string, role: string, user: string, config = ''): object => ({
    metadata: {
      name,
      labels: { 'control-by': 'kt', 'kt-role': role },
      annotations: { 'kt-user': user, 'kt-host': 'desk', 'kt-last-heart-beat': seconds(7), 'kt-config': config },
      creationTimestamp: '2026-01-01T00:00:00Z'
    },
    status: { phase: 'Running' }
  })
  const stuntman = {
    metadata: {
      name: 'cart-kt-stuntman',
      labels: { 'control-by': 'kt' },
      annotations: { 'kt-last-heart-beat': seconds(3) }
    }
  }
  const remains = {
    services: [
      service('shop'),
      service('cart', { spec: { selector: { app: 'cart', 'kt-exchange': 'abcde' } } }),
      stuntman,
      service('next', { metadata: { name: 'next', labels: { 'control-by': 'kt' } } }),
      service('old', {
        metadata: { name: 'old', annotations: { 'kt-selector': '{"app":"old"}' } },
        spec: { selector: { 'kt-role': 'shadow-exchange', 'kt-target': 'x' } }
      })
    ],
    pods: [
      shadow('cart-kt-exchange-abcde', 'shadow-exchange', 'ada', 'service=cart'),
      shadow('next-kt-abcde', 'shadow-preview', 'bob', 'service=next'),
      shadow('old-kt-exchange-abcde', 'shadow-exchange', 'eve', 'service=old'),
      shadow('kt-connect-shadow-abcde', 'shadow-connect', 'ada')
    ],
    configMaps: []
  } as unknown as Parameters<typeof birdseye>[0]
  const { services, connectors } = birdseye(remains)
  t.deepEqual(
    services.map(({ service: name, state, mode, by }) => [name, state, mode, by.map(({ user }) => user).join()]),
    [
      ['cart', 'exchanged', '', 'ada'],
      ['next', 'previewing', '', 'bob'],
      ['old', 'exchanged', 'kt-connect', 'eve'],
      ['shop', 'normal', '', '']
    ]
  )
  t.true((services[0]?.by[0]?.silentSeconds ?? 99) <= 5, "the stuntman's heartbeat is the fresher one")
  t.like(connectors[0], { user: 'ada', host: 'desk', pod: 'kt-connect-shadow-abcde' })
  t.is(connectors.length, 1)
})
