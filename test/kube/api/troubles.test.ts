import test from 'ava'
import { Troubles } from '../../../lib/kube/api/troubles.ts'

test('the beginning and the end of each trouble are told once', t => {
  const troubles = new Troubles()
  const told: string[][] = []
  troubles.onChange = texts => told.push(texts)
  const [one, other] = [{}, {}]
  troubles.begin(one, 'services')
  troubles.begin(one, 'services again')
  troubles.begin(other, 'pods')
  troubles.end(one)
  troubles.end(one)
  troubles.end(other)
  t.deepEqual(told, [['services'], ['services', 'pods'], ['pods'], []])
  t.deepEqual(troubles.texts, [])
})
