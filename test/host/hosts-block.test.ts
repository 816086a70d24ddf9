import test from 'ava'
import fc from 'fast-check'
import { hasBlock, withBlock, withoutBlock } from '../../lib/host/hosts-block.ts'

const LINES = ['10.96.0.7 nginx.demo nginx', '10.96.0.8 redis']
const USUAL = '127.0.0.1\tlocalhost\n# mine\n192.0.2.1 nas\n'

test('our lines stand at the end, between two marks, and are replaced there', t => {
  const once = withBlock(USUAL, LINES)
  t.true(once.startsWith(USUAL), 'the first line that names a host wins: the own ones of the user')
  t.deepEqual(once.split('\n').slice(-5), [once.split('\n').at(-5)!, ...LINES, '# kt: end', ''])
  t.is(withBlock(once, LINES), once)
  t.true(withBlock(once, ['10.96.0.9 other']).includes('other'))
  t.false(withBlock(once, ['10.96.0.9 other']).includes('nginx'))
  t.is(withBlock(once, []), USUAL)
  t.true(hasBlock(once))
  t.false(hasBlock(USUAL))
})

test('lines that another program has written behind ours stay', t => {
  t.is(withoutBlock(`${withBlock(USUAL, LINES)}192.0.2.9 later\n`), `${USUAL}192.0.2.9 later\n`)
})

test('a mark without its other half goes alone', t => {
  const [begin] = withBlock('', LINES).split('\n')
  t.is(withoutBlock(`a\n${begin}\nb\n`), 'a\nb\n')
  t.is(withoutBlock('a\n# kt: end\nb\n'), 'a\nb\n')
})

test('property: what was there before comes back, but for a line break at the end that was missing', t => {
  fc.assert(
    fc.property(fc.string(), text => {
      const back = withoutBlock(withBlock(text, LINES))
      return back === text || back === `${text}\n`
    })
  )
  t.pass()
})
