// `kt exchange` and `kt preview` as something that a program holds and lets go of.
import type { Report } from '../session/report.ts'
import type { Diversion } from './types.ts'

/** Resolves when `session` is ready; rejects with what ended it before. It is ended by `stop`, and has undone everything when it resolves. */
export async function divert(
  report: Report,
  session: (report: Report, stop: AbortController) => Promise<void>
): Promise<Diversion> {
  const stop = new AbortController()
  const ready = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<Error>()
  const ended = session(event => {
    report(event)
    if (event.event === 'ready') ready.resolve()
  }, stop).then(
    () => ready.resolve(),
    (error: Error) => {
      ready.reject(error)
      lost.resolve(error)
    }
  )
  await ready.promise
  const close = (): Promise<void> => {
    stop.abort()
    return ended
  }
  return { lost: lost.promise, close, [Symbol.asyncDispose]: close }
}
