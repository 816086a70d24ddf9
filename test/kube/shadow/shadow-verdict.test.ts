import test from 'ava'
import type { Pod } from '../../../lib/kube/api/client.ts'
import { judge } from '../../../lib/kube/shadow/shadow-verdict.ts'

type Status = NonNullable<Pod['status']>

function verdict(status: Status, events: Record<string, string> = {}): string {
  const result = judge({ metadata: { name: 'x' }, status }, new Map(Object.entries(events)))
  return result.state === 'running' ? 'running' : `${result.state} ${result.text}`
}

function container(state: NonNullable<Status['containerStatuses']>[number]['state'], lastState = {}): Status {
  return {
    phase: 'Pending',
    containerStatuses: [
      { name: 'agent', image: 'i', imageID: '', ready: false, restartCount: 0, state: state ?? {}, lastState }
    ]
  }
}

test('a running container is what is waited for', t => {
  t.is(verdict({ ...container({ running: {} }), phase: 'Running' }), 'running')
})

test('unschedulable: the scheduler’s own words, and still hope', t => {
  const conditions = [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/2 nodes are available: 2 Insufficient cpu.'
    }
  ]
  t.is(verdict({ phase: 'Pending', conditions }), 'waiting Unschedulable: 0/2 nodes are available: 2 Insufficient cpu.')
})

test('an image that cannot be pulled: the event’s text, on one line, and no hope', t => {
  const status = container({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } })
  t.is(
    verdict(status, { Failed: 'Failed to pull image "x":\n not found' }),
    'never ImagePullBackOff: Failed to pull image "x": not found'
  )
  t.is(verdict(status), 'never ImagePullBackOff: Back-off pulling image "x"')
  t.is(verdict(container({ waiting: { reason: 'ErrImagePull', message: 'timeout' } })), 'waiting ErrImagePull: timeout') // it is tried again
})

test('a crash: exit code, reason and last words', t => {
  const terminated = { exitCode: 1, reason: 'Error', message: '/kt/agent.cjs:1\nError: boom\n    at x' }
  t.is(verdict(container({ terminated })), 'never its agent ended with exit code 1: Error: boom')
  t.is(
    verdict(
      container({ waiting: { reason: 'CrashLoopBackOff' } }, { terminated: { exitCode: 137, reason: 'OOMKilled' } })
    ),
    'never its agent ended with exit code 137 (OOMKilled)'
  )
})

test('events explain a wait, the most telling first', t => {
  const creating = container({ waiting: { reason: 'ContainerCreating' } })
  t.is(verdict(creating), 'waiting ContainerCreating')
  t.is(verdict(creating, { Scheduled: 'ok', Pulling: 'Pulling image "x"' }), 'waiting Pulling image "x"')
  t.is(
    verdict(creating, { Pulling: 'Pulling', FailedMount: 'configmap "x" not found' }),
    'waiting FailedMount: configmap "x" not found'
  )
})

test('gone, going, evicted', t => {
  t.deepEqual(judge(undefined, new Map()), { state: 'never', text: 'it was deleted by somebody else' })
  t.is(judge({ metadata: { deletionTimestamp: 'now' } }, new Map()).state, 'never')
  t.is(
    verdict({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory' }),
    'never Evicted: The node was low on memory'
  )
})
