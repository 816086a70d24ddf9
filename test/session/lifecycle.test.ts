import test from 'ava'
import { Lifecycle, type Undone } from '../../lib/session/lifecycle.ts'

test('undoes in reverse, once, and goes on after a failure', async t => {
  const life = new Lifecycle()
  const order: string[] = []
  life.onStop('first', () => void order.push('first'))
  life.onStop('second', () => Promise.reject(new Error('no')))
  life.onStop('', () => void order.push('quiet'))
  life.onStop('third', async () => {
    await new Promise(resolve => setTimeout(resolve, 5))
    order.push('third')
  })
  const said: Undone[] = []
  await Promise.all([life.stop(undone => said.push(undone)), life.stop()])
  t.deepEqual(order, ['third', 'quiet', 'first'])
  t.deepEqual(
    said.map(s => [s.what, s.error instanceof Error]),
    [
      ['third', false],
      ['second', true],
      ['first', false]
    ]
  )
})

test('an undo has the time that it asks for, and no more', async t => {
  const life = new Lifecycle()
  const said: string[] = []
  life.onStop('the first', () => {})
  life.onStop('one that hangs', () => new Promise(() => {}), 20)
  await life.stop(({ what, error }) => said.push(`${what}: ${error instanceof Error ? error.message : 'undone'}`))
  t.deepEqual(said, ['one that hangs: not done after 0.02 s', 'the first: undone'])
})
