// The table of rights: what a command demands before it starts is in the Role that kt rbac prints for it.
import test from 'ava'
import { resourceName } from '../../../lib/kube/api/api-error.ts'
import { needsOf, RIGHTS_COMMANDS, rightsOf } from '../../../lib/kube/api/rights.ts'

for (const command of RIGHTS_COMMANDS) {
  test(`${command}: what is demanded is printed, each verb of a resource once where it is always needed`, t => {
    const printed = needsOf([command])
    const purposes = printed.flatMap(need => need.for ?? [])
    for (const right of rightsOf(command, 'demo', ...purposes)) {
      const { verb, namespace, group = '' } = right
      t.is(namespace, 'demo')
      const name = resourceName({ ...right, group: '' })
      t.true(
        printed.some(need => need.resource === name && (need.group ?? '') === group && need.verbs.includes(verb)),
        `${verb} ${name}`
      )
    }
    const always = printed.filter(need => need.for === undefined)
    const keys = always.flatMap(({ group, resource, verbs }) => verbs.map(verb => [group, resource, verb].join()))
    t.is(new Set(keys).size, keys.length)
    for (const need of printed.filter(need => need.for !== undefined)) {
      for (const verb of need.verbs)
        t.false(keys.includes([need.group, need.resource, verb].join()), resourceName(rightOf(need)))
    }
  })
}

const rightOf = ({ resource }: { resource: string }): { verb: string; resource: string } => ({ verb: '', resource })

test('what a use needs is demanded only for it', t => {
  const verbs = (...uses: string[]): string[] =>
    rightsOf('exchange', 'demo', ...uses)
      .filter(({ group }) => group === 'apps')
      .map(({ verb, resource }) => `${verb} ${resource}`)
  t.deepEqual(verbs(), [])
  t.deepEqual(verbs('deployment/NAME'), ['get deployments'])
})

test('subresources are kept apart from their resource', t => {
  const right = rightsOf('up', 'demo').find(({ subresource }) => subresource !== undefined)
  t.like(right, { resource: 'pods', subresource: 'portforward', verb: 'get' })
})
