// What a running command tells its user: as text for people, as one JSON object a line for programs.

import type { KtErrorCode } from '../errors.ts'

/** Everything that is said while a session starts, runs and stops. Field names are stable. */
export type SessionEvent =
  | {
      event: 'start'
      version: string
      pid: number
      platform: string
      context: string
      server: string
      namespace: string
    }
  | { event: 'step'; step: string; ms: number }
  | { event: 'progress'; text: string }
  | { event: 'route'; cidr: string; reason: string; change: 'added' | 'removed' }
  | { event: 'note'; text: string }
  | { event: 'warning'; text: string }
  | { event: 'dns'; mode: string; server: string; description: string }
  | { event: 'proxy'; socks: string; http: string; environment: Record<string, string>; pac: string }
  | { event: 'ready'; ms: number; try: string[]; banner?: string }
  | { event: 'call'; network: string; port: number; source: string; verdict: string; to: string }
  | { event: 'state'; state: string; detail: string }
  | { event: 'stopping'; why: string }
  | { event: 'restored'; what: string; ms: number }
  | { event: 'stopped' }
  | { event: 'error'; code: KtErrorCode; message: string; hint: string }

export type Report = (event: SessionEvent) => void

/** What `kt up` says when it is ready: kt-connect's words. */
export const BANNER = 'All looks good, now you can access to resources in the kubernetes cluster'

const took = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

/** One or more lines of text for an event. */
export function describe(e: SessionEvent): string {
  switch (e.event) {
    case 'start':
      return `kt ${e.version} start at ${e.pid} (${e.platform})\nUsing cluster context ${e.context} (${e.server}), namespace ${e.namespace}`
    case 'step':
      return `✓ ${e.step} (${took(e.ms)})`
    case 'progress':
      return `  ${e.text}`
    case 'route':
      return e.change === 'added'
        ? `  Adding route to ${e.cidr}: ${e.reason}`
        : `  Removing route to ${e.cidr}: ${e.reason}`
    case 'note':
      return `  ${e.text}`
    case 'warning':
      return `! ${e.text}`
    case 'dns':
      return `  DNS (${e.mode}): ${e.description}`
    case 'proxy':
      return `  Proxy at ${e.socks}${e.http === e.socks ? '' : ` and ${e.http}`}: SOCKS 4, 4a, 5 and HTTP; for a browser: ${e.pac}`
    case 'ready':
      return ready(e.ms, e.try, e.banner ?? BANNER)
    case 'call':
      return `  ${e.source} → ${e.port}/${e.network} → ${e.to === '' ? 'nobody' : e.to}: ${e.verdict}`
    case 'state':
      return `! ${e.state}: ${e.detail}`
    case 'stopping':
      return `${e.why}: putting everything back`
    case 'restored':
      return `✓ ${e.what} (${took(e.ms)})`
    case 'error':
      return `kt: ${e.message}${e.hint === '' ? '' : `\n    ${e.hint}`}`
    case 'stopped':
      return 'Stopped, everything is as it was'
  }
}

function ready(ms: number, commands: string[], banner: string): string {
  const rule = '-'.repeat(Math.max(...banner.split('\n').map(line => line.length)) + 2)
  const first = `Ready after ${took(ms)}.${commands.length === 0 ? '' : ' Try:'}`
  return [first, ...commands.map(command => `  ${command}`), rule, ` ${banner}`, rule].join('\n')
}

/** Text lines to `out`. */
export function textReport(out: NodeJS.WritableStream): Report {
  return e => {
    out.write(`${describe(e)}\n`)
  }
}

/** One JSON object a line to `out`. */
export function jsonReport(out: NodeJS.WritableStream): Report {
  return e => {
    out.write(`${JSON.stringify(e)}\n`)
  }
}
