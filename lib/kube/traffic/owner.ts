// Whose is it? Who made an object of kt and when he was last heard of, in annotations that kt-connect's `clean` reads too.
import { hostname } from 'node:os'
import { HEARTBEAT_ANNOTATION, USER_ANNOTATION } from '../names.ts'
import { laptopUser } from '../shadow/shadow-manifest.ts'

/** The laptop's name. */
const HOST_ANNOTATION = 'kt-host'
const VERSION_ANNOTATION = 'kt-version'
/** `PID/START` of the process on that laptop: whether it lives can be told there and nowhere else. */
const PROCESS_ANNOTATION = 'kt-process'

/** Everything a kt process writes about itself. */
export const OWNER_ANNOTATIONS = [
  USER_ANNOTATION,
  HOST_ANNOTATION,
  VERSION_ANNOTATION,
  PROCESS_ANNOTATION,
  HEARTBEAT_ANNOTATION
] as const

/** Seconds between two heartbeats of a participant. */
export const HEARTBEAT_SECONDS = 30
/** Three heartbeats and some: a laptop that has been silent for so long is asleep, off or gone. */
export const SILENT_SECONDS = 120

type Annotations = Record<string, string | undefined> | undefined

/** Somebody who made an object. */
export interface Owner {
  user: string
  host: string
  /** `PID/START`, or empty. */
  process: string
  /** Since the last heartbeat, by this computer's clock; Infinity when there was none. */
  silentSeconds: number
}

/** Who we are, with a heartbeat of this moment. `process` is `PID/START`, `version` that of kt. */
export function ownerAnnotations(process: string, version: string): Record<string, string> {
  return {
    [USER_ANNOTATION]: laptopUser(),
    [HOST_ANNOTATION]: hostname(),
    [VERSION_ANNOTATION]: version,
    [PROCESS_ANNOTATION]: process,
    [HEARTBEAT_ANNOTATION]: now()
  }
}

/** A heartbeat of this moment: seconds since the epoch. */
export function now(): string {
  return String(Math.floor(Date.now() / 1000))
}

/** The owner that annotations name; those of kt-connect name only the user. */
export function ownerOf(annotations: Annotations): Owner {
  const seen = Number(annotations?.[HEARTBEAT_ANNOTATION])
  return {
    user: annotations?.[USER_ANNOTATION] ?? 'an unknown user',
    host: annotations?.[HOST_ANNOTATION] ?? '',
    process: annotations?.[PROCESS_ANNOTATION] ?? '',
    silentSeconds: Number.isFinite(seen) && seen > 0 ? Math.max(0, Math.floor(Date.now() / 1000 - seen)) : Infinity
  }
}

/** `alice on laptop-7, last seen 12 s ago`. */
export function describeOwner({ user, host, silentSeconds }: Owner): string {
  const where = host === '' ? '' : ` on ${host}`
  return `${user}${where}, ${silentSeconds === Infinity ? 'never seen since' : `last seen ${age(silentSeconds)} ago`}`
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Is it the same user on the same computer as the one who asks? */
export function isOurs({ user, host }: Owner): boolean {
  return user === laptopUser() && host === hostname()
}
