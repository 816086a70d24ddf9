import test from 'ava'
import fc from 'fast-check'
import { Deadlines, type Timed } from '../../lib/stack/deadlines.ts'

class Item implements Timed {
  deadline = Infinity
  dueAt = Infinity
  heapIndex = -1
}

test('whatever is set, moved and removed: all that is due comes out, nothing else, never late', t => {
  const step = fc.record({ item: fc.nat(9), at: fc.option(fc.nat(100)), pass: fc.nat(20), remove: fc.boolean() })
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const items = Array.from({ length: 10 }, () => new Item())
        const deadlines = new Deadlines<Item>()
        let now = 0
        for (const { item, at, pass, remove } of steps) {
          const one = items[item]!
          one.deadline = at === null ? Infinity : now + at
          if (remove) {
            one.deadline = Infinity
            deadlines.remove(one)
          } else {
            deadlines.update(one)
          }
          now += pass
          if (deadlines.earliest > Math.min(...items.map(({ deadline }) => deadline))) return false
          for (let due = deadlines.due(now); due !== undefined; due = deadlines.due(now)) {
            if (due.deadline > now) return false
            due.deadline = Infinity
            deadlines.update(due)
          }
          if (items.some(({ deadline }) => deadline <= now)) return false
        }
        return true
      }),
      { numRuns: 2000 }
    )
  )
})
