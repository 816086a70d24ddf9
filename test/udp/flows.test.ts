import test from 'ava'
import fc from 'fast-check'
import { Flow } from '../../lib/udp/flow.ts'
import { Flows, IDLE_MS, MAX_FLOWS } from '../../lib/udp/flows.ts'

test('flows end in the order of their last use, as a list that is sorted each time says', t => {
  const step = fc.record({ what: fc.constantFrom('add', 'touch', 'remove', 'pass'), n: fc.nat(200_000) })
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), steps => {
        const flows = new Flows<Flow>()
        let list: Flow[] = []
        let now = 0
        for (const { what, n } of steps) {
          const one = list[n % Math.max(1, list.length)]
          if (what === 'add') {
            const flow = new Flow()
            flows.add(flow, now)
            list.push(flow)
          } else if (what === 'pass') {
            now += n
          } else if (one !== undefined) {
            list = list.filter(flow => flow !== one)
            if (what === 'remove') {
              flows.remove(one)
            } else {
              flows.touch(one, now)
              list.push(one)
            }
          }
          const due = list.filter(flow => flow.lastUse + IDLE_MS <= now)
          list = list.filter(flow => !due.includes(flow))
          for (const flow of due) if (flows.expired(now) !== flow) return false
          if (flows.expired(now) !== undefined || flows.size !== list.length) return false
          if (flows.deadline !== (list[0] === undefined ? Infinity : list[0].lastUse + IDLE_MS)) return false
        }
        return true
      })
    )
  )
})

test('the oldest gives way to the flow that is one too many', t => {
  const flows = new Flows<Flow>()
  const all = Array.from({ length: MAX_FLOWS }, () => new Flow())
  for (const flow of all) t.is(flows.add(flow, 0), undefined)
  flows.touch(all[0]!, 1)
  t.is(flows.add(new Flow(), 2), all[1])
  t.is(flows.size, MAX_FLOWS)
})
