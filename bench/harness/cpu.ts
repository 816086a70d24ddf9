// CPU seconds by process: user and system time of /proc/PID/stat, added up by the part a process plays on the way.
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a process is recognised by. */
export interface ProcessFacts {
  pid: number
  parent: number
  /** Name of the program, at most 15 characters. */
  name: string
  /** `net:[4026532…]`: equal for processes of one network namespace. */
  netns: string
  /** /proc/PID/cgroup: the pod's uid is in it. */
  cgroup: string
  /** User + system time so far. */
  seconds: number
}

/** Which processes play a part, for example 'API server'. */
export type Parts = Record<string, (process: ProcessFacts) => boolean>

/** CPU seconds by part. */
export type CpuSeconds = Record<string, number>

/** USER_HZ, in which the kernel counts for /proc; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** So long, with so little: a quarter of a processor, more than an idle cluster needs. */
const REST_MS = 200
const REST_SECONDS = 0.05

/** Read all processes; those that end meanwhile are left out. */
export function processes(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // proc(5): the name stands in brackets and may hold anything; state is the field behind it.
        const open = stat.indexOf('(')
        const close = stat.lastIndexOf(')')
        const fields = stat.slice(close + 2).split(' ')
        return {
          pid: Number(name),
          parent: Number(fields[1]),
          name: stat.slice(open + 1, close),
          netns: readlinkSync(`/proc/${name}/ns/net`),
          cgroup: readFileSync(`/proc/${name}/cgroup`, 'latin1'),
          seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
        }
      } catch {
        return []
      }
    })
}

/** A process or one of its descendants. */
export function descendsFrom(root: number, all: readonly ProcessFacts[]): Set<number> {
  const found = new Set([root])
  // Parents may come after their children in the list (process ids wrap): repeat until nothing is added.
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return found
}

/** Start counting; the function that is returned says what was used since. */
export function startCpuClock(parts: Parts): () => CpuSeconds {
  const before = new Map(processes().map(({ pid, seconds }) => [pid, seconds]))
  return () => {
    const used: CpuSeconds = Object.fromEntries(Object.keys(parts).map(name => [name, 0]))
    for (const each of processes()) {
      const part = Object.keys(parts).find(name => parts[name]!(each))
      if (part !== undefined) used[part] = used[part]! + each.seconds - (before.get(each.pid) ?? 0)
    }
    return used
  }
}

/** Wait until a clock that is started now counts next to nothing, at most so long: what is still done belongs to what was measured before. */
export async function untilRest(start: () => () => CpuSeconds, mostMs: number): Promise<void> {
  const until = performance.now() + mostMs
  for (let busy = true; busy && performance.now() < until; ) {
    const stop = start()
    await sleep(REST_MS)
    busy = Object.values(stop()).reduce((a, b) => a + b, 0) > REST_SECONDS
  }
}

/** Resident memory of processes together, bytes, with what they have mapped of files; those that have ended count nothing. */
export function residentBytes(pids: readonly number[]): number {
  return statusBytes(pids, 'VmRSS')
}

/** Begin to look for the most that each of the processes has resident; the function that is returned adds it up, bytes. */
export function startPeak(pids: readonly number[]): () => number {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5') // proc(5): the peak begins anew
  return () => statusBytes(pids, 'VmHWM')
}

function statusBytes(pids: readonly number[], field: string): number {
  return pids.reduce((sum, pid) => {
    try {
      const kilobytes = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
      return sum + Number(kilobytes ?? 0) * 1024
    } catch {
      return sum
    }
  }, 0)
}

/** Open file descriptors of a process. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
