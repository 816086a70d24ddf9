// What a pod's status and events mean for somebody who waits for it: running, not yet and why, or never and why.
import type { Pod } from '../api/client.ts'

/** `never` ends the wait; `waiting` is what to say if the time runs out. */
export type Verdict = { state: 'running' } | { state: 'waiting'; text: string } | { state: 'never'; text: string }

/** The messages of a pod's events by reason, newest last. */
export type EventTexts = ReadonlyMap<string, string>

/** The kubelet repeats these for ever; a person has to act. */
const HOPELESS = new Set([
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff'
])
/** Events that explain a wait, the most telling first. */
const TELLING = ['FailedScheduling', 'FailedCreatePodSandBox', 'FailedMount', 'Failed', 'BackOff']
/** Of a container's last words: its stack trace would fill the screen. */
const LAST_WORDS_MAX_CHARS = 400

/** Judge a pod of one container. `pod` undefined: it has been deleted. */
export function judge(pod: Pod | undefined, events: EventTexts): Verdict {
  if (pod === undefined) return { state: 'never', text: 'it was deleted by somebody else' }
  if (pod.metadata?.deletionTimestamp) return { state: 'never', text: 'it is being deleted by somebody else' }
  const container = pod.status?.containerStatuses?.[0]
  const terminated = container?.state?.terminated ?? container?.lastState?.terminated
  if (terminated !== undefined) return { state: 'never', text: ended(terminated) }
  if (pod.status?.phase === 'Failed')
    return {
      state: 'never',
      text: `${pod.status.reason ?? 'it failed'}: ${oneLine(pod.status.message ?? 'no message')}`
    }
  if (container?.state?.running !== undefined) return { state: 'running' }
  const waiting = container?.state?.waiting
  if (waiting?.reason !== undefined && HOPELESS.has(waiting.reason)) {
    // The event has the registry's own words; the status only says that it waits before the next attempt.
    const text = events.get('Failed') ?? waiting.message ?? ''
    return { state: 'never', text: `${waiting.reason}: ${oneLine(text)}` }
  }
  return { state: 'waiting', text: whyWaiting(pod, events, waiting) }
}

function whyWaiting(pod: Pod, events: EventTexts, waiting: { reason?: string; message?: string } | undefined): string {
  const scheduled = pod.status?.conditions?.find(condition => condition.type === 'PodScheduled')
  if (scheduled?.status === 'False')
    return `${scheduled.reason ?? 'Unschedulable'}: ${oneLine(scheduled.message ?? '')}`
  for (const reason of TELLING) if (events.has(reason)) return `${reason}: ${oneLine(events.get(reason)!)}`
  if (waiting?.message) return `${waiting.reason}: ${oneLine(waiting.message)}`
  if (events.has('Pulling') && !events.has('Pulled')) return oneLine(events.get('Pulling')!)
  return waiting?.reason ?? pod.status?.phase ?? 'Pending'
}

function ended(terminated: { exitCode: number; reason?: string; message?: string }): string {
  const { exitCode, reason, message } = terminated
  // Of a stack trace, the line that names the error.
  const line = message?.split('\n').find(text => /\b[A-Z]?\w*Error\b/.test(text)) ?? message
  const words = line === undefined ? '' : `: ${oneLine(line)}`
  const why = reason === undefined || reason === 'Error' || reason === 'Completed' ? '' : ` (${reason})`
  return `its agent ended with exit code ${exitCode}${why}${words}`
}

/** The end of a long text, which is where programs and registries put the reason. */
function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length > LAST_WORDS_MAX_CHARS ? `…${line.slice(-LAST_WORDS_MAX_CHARS)}` : line
}
