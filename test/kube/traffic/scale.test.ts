// lib/kube/traffic/scale.ts: what is written down of a workload that goes to 0.
import test from 'ava'
import { readReplicas, replicasConfig, workloadName } from '../../../lib/kube/traffic/scale.ts'

const read = (config: string) =>
  readReplicas(field => new Map(config.split(',').map(part => part.split('=') as [string, string])).get(field))

test('what is written is what is read; a Deployment in the words of kt-connect', t => {
  for (const kind of ['deployment', 'statefulset'] as const)
    for (const replicas of [0, 1, 12]) {
      const was = { kind, name: 'web', replicas }
      t.deepEqual(read(`service=shop,${replicasConfig(was)}`), was)
    }
  t.is(replicasConfig({ kind: 'deployment', name: 'web', replicas: 2 }), 'app=web,replicas=2')
  t.is(workloadName({ kind: 'statefulset', name: 'db' }), 'StatefulSet db')
})

for (const config of [
  '',
  'service=web',
  'app=web',
  'replicas=2',
  'app=web,replicas=',
  'app=web,replicas=-1',
  'app=web,replicas=x'
]) {
  test(`"${config}" says nothing of replicas`, t => {
    t.is(read(config), undefined)
  })
}
