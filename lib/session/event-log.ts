// The last things a session has said, for whoever comes later.
import { describe, type Report, type SessionEvent } from './report.ts'

/** Lines that are remembered. */
const LINES_MAX = 500

export interface LoggedEvent {
  /** Milliseconds since the epoch. */
  at: number
  event: SessionEvent['event']
  text: string
}

export class EventLog {
  /** The last LINES_MAX, oldest first. */
  readonly lines: LoggedEvent[] = []

  /** `report`, and remembered. */
  tap(report: Report): Report {
    return event => {
      this.lines.push({ at: Date.now(), event: event.event, text: describe(event) })
      if (this.lines.length > LINES_MAX) this.lines.shift()
      report(event)
    }
  }
}
