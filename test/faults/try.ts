// One fault: kt is started, the load runs, the fault happens, everything works again, kt ends, and nothing is left. What was seen, as a row.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { serviceAddress } from '../e2e/_support/demo.ts'
import { type RunningKt, startKt } from '../e2e/_support/kt.ts'
import type { Fault, Scene, Setting } from './catalog.ts'
import { settings } from './ground.ts'
import { before, leftovers } from './leftovers.ts'
import { callersSaw, Load, type LoadOptions, type Outcome, type Progress, type Second } from './load.ts'
import { NOTICED_MS, StatusWatch } from './watch-status.ts'

/** The service of the namespace demo that the laptop serves meanwhile. */
export const EXCHANGED = 'nginx'
const LOCAL_PORT = 18_181
/** A paced load leaves the machine room for the cluster; it never reaches its end. */
const PACED = { mebibytes: 8_192, mebibytesPerSecond: 8 }
/** A transfer must not be over before the last cut: what a cut lets wait comes at full speed, and is less than a part between two of them. */
const MIB_PER_SECOND = { quick: 4, full: 12 }
/** Everything has to work again after this, ms. New pods on a busy machine need the most of it. */
const HEALED_MS = 90_000
/** Something that happens this lately happens now, ms. */
const NOW_MS = 1_200
/** How long everything has to work before the fault, and after it, ms. */
const STEADY_MS = 2_000
/** Requests of the callers are told when their time is over, ms. */
const TOLD_MS = 7_000
/** A kt that ends by itself does it within this, ms. */
const ENDS_MS = 20_000

/** What became of one fault. */
export interface Row {
  fault: string
  /** Milliseconds; undefined: the status never said anything else than connected. */
  noticedMs: number | undefined
  healedMs: number | undefined
  survived: string
  wrong: number
  failed: string
  said: string
  /** What must not be; empty: passed. */
  defects: string[]
}

/** A fault that cannot be made here has a `skipped`. */
export async function tryFault(fault: Fault, quick: boolean): Promise<Row | { fault: string; skipped: string }> {
  const prepared = (await fault.prepare?.()) ?? {}
  if (typeof prepared === 'string') return { fault: fault.name, skipped: prepared }
  try {
    return await new Trial(fault, prepared, quick).run()
  } finally {
    await prepared.remove?.()
  }
}

class Trial {
  readonly #fault: Fault
  readonly #setting: Setting
  readonly #quick: boolean
  readonly #home: string
  readonly #defects: string[] = []
  #served = 0
  #servedAt = 0
  #moved = [0, 0]
  #movedAt = 0

  constructor(fault: Fault, setting: Setting, quick: boolean) {
    this.#fault = fault
    this.#setting = setting
    this.#quick = quick
    this.#home = setting.home ?? settings().ktHome
  }

  async run(): Promise<Row> {
    const then = await before(EXCHANGED)
    const env = { ...this.#setting.env, KT_HOME: this.#home }
    const flags = ['--namespace', 'demo', '--exchange', `${EXCHANGED}:${LOCAL_PORT}:80`, '--skipPortChecking']
    const kt = await startKt(flags, { env })
    const load = new Load(await this.#loadOptions())
    const watch = new StatusWatch(join(this.#home, 'run', `${kt.pid}.sock`), () => load.progress)
    const row = await this.#strikeAndEnd(kt, load, watch)
    this.#defects.push(...(await leftovers(then, EXCHANGED, this.#home)))
    if (this.#defects.length > 0) process.stderr.write(`${indented(kt.output())}\n`)
    return row
  }

  async #strikeAndEnd(kt: RunningKt, load: Load, watch: StatusWatch): Promise<Row> {
    try {
      return await this.#strike(kt, load, watch)
    } catch (error) {
      process.stderr.write(`${indented(kt.output())}\n`)
      throw error
    } finally {
      load.kill()
      await watch.stop()
      await this.#end(kt)
    }
  }

  async #loadOptions(): Promise<LoadOptions> {
    const { mebibytes } = this.#fault
    const size = this.#quick ? 'quick' : 'full'
    const amount =
      mebibytes === undefined ? PACED : { mebibytes: mebibytes[size], mebibytesPerSecond: MIB_PER_SECOND[size] }
    const names = {
      'redis.demo.svc.cluster.local': await serviceAddress('redis'),
      'upstream.example.test': '192.0.2.10' // the company's resolver: test/cluster/configuration.ts
    }
    return { host: await serviceAddress('node-echo'), local: LOCAL_PORT, ...amount, names }
  }

  async #strike(kt: RunningKt, load: Load, watch: StatusWatch): Promise<Row> {
    const { name, ends = false, says } = this.#fault
    const missing = (): string[] => this.#missing(load.progress, watch)
    await this.#steady(missing, 'before the fault')
    const scene: Scene = {
      quick: this.#quick,
      pid: kt.pid,
      pod: watch.status!.pod,
      home: this.#home,
      progress: () => load.progress,
      missing
    }
    const began = Date.now()
    const strike = this.#setting.strike ?? this.#fault.strike
    await strike!(scene)
    const over = Date.now()
    if (ends) await this.#hasEnded(kt)
    const healedMs = ends
      ? undefined
      : await this.#steady(missing, 'after the fault').then(at => Math.max(0, at - over))
    const ending = Date.now()
    const outcome = await load.finish()
    await delay(Math.max(0, ending + TOLD_MS - Date.now()))
    const seconds = await callersSaw(began, ending - 1_000) // whole seconds before the local program went
    await watch.stop()
    const said = watch.said(began)
    this.#judge(outcome, seconds, watch, began)
    if (says !== undefined && !says.test(watch.samples.map(s => s.detail).join('\n')))
      this.#defects.push(`status did not say ${says}`)
    return {
      fault: name,
      noticedMs: watch.noticed(began),
      healedMs,
      survived: survivors(outcome),
      wrong: wrongOf(outcome, seconds),
      failed: failures(seconds, outcome),
      said,
      defects: this.#defects
    }
  }

  /** What does not work at this moment: lines come back, names are answered, requests come in, transfers move, and the status says so. */
  #missing(progress: Progress, watch: StatusWatch): string[] {
    const now = Date.now()
    const { served, down, up, echoedAt, namedAt } = progress
    if (served > this.#served) this.#servedAt = now
    this.#served = served
    if (down !== this.#moved[0] || up !== this.#moved[1] || this.#fault.mebibytes !== undefined) this.#movedAt = now
    this.#moved = [down, up]
    const last = { requests: this.#servedAt, transfers: this.#movedAt, lines: echoedAt, ...namedAt }
    const late = Object.entries(last).flatMap(([name, at]) => (now - at < NOW_MS ? [] : [name]))
    return watch.state === 'connected' ? late : [...late, `status ${watch.state}`]
  }

  /** When it began to work for good; a defect when it does not in time. */
  async #steady(missing: () => string[], when: string): Promise<number> {
    const deadline = Date.now() + HEALED_MS
    for (let since: number | undefined; ; await delay(100)) {
      const late = missing()
      if (late.length > 0) since = undefined
      else since ??= Date.now()
      if (since !== undefined && Date.now() - since >= STEADY_MS) return since
      if (Date.now() > deadline) {
        this.#defects.push(`${when}, not within ${HEALED_MS / 1000} s: ${late.join(', ')}`)
        return Date.now()
      }
    }
  }

  async #hasEnded(kt: RunningKt): Promise<void> {
    for (const deadline = Date.now() + ENDS_MS; Date.now() < deadline; await delay(100)) {
      if (!lives(kt.pid)) return
    }
    this.#defects.push('kt should have ended')
  }

  async #end(kt: RunningKt): Promise<void> {
    const finished = await kt.stop()
    if (finished.signal === 'SIGKILL') this.#defects.push('kt had to be killed')
    const expected = this.#fault.ends === true ? finished.code !== 0 && finished.code !== 70 : finished.code === 0
    if (!expected) this.#defects.push(`kt ended with ${finished.code}`)
  }

  #judge(outcome: Outcome, seconds: Second[], watch: StatusWatch, began: number): void {
    const { keeps, ends = false } = this.#fault
    const wrong = wrongOf(outcome, seconds)
    if (wrong > 0) this.#defects.push(`${wrong} bytes or answers were wrong`)
    for (const { name, broken, silent } of outcome.connections) {
      if (silent && !ends) this.#defects.push(`${name}: silence`)
      if (keeps && broken.length > 0) this.#defects.push(`${name} did not survive: ${broken.join(', ')}`)
    }
    if (!ends) this.#defects.push(...[...watch.lies].map(lie => `kt status said: ${lie}`))
    const noticed = watch.noticed(began)
    const stopped = watch.samples.some(({ state }) => state === 'unresponsive')
    const credentials = this.#fault.prepare !== undefined
    if (!credentials && !stopped && noticed !== undefined && noticed > 2 * NOTICED_MS)
      this.#defects.push('noticed too late')
  }
}

function survivors({ connections }: Outcome): string {
  const survived = connections.filter(({ broken, silent }) => broken.length === 0 && !silent)
  return `${survived.length} of ${connections.length}`
}

/** Bytes of the three connections, answers to questions, and answers to requests that were somebody else's. */
function wrongOf({ connections, questions }: Outcome, seconds: Second[]): number {
  const bytes = connections.reduce((sum, { wrong }) => sum + wrong, 0)
  return bytes + questions.wrong + seconds.reduce((sum, { wrong }) => sum + wrong, 0)
}

function failures(seconds: Second[], { questions }: Outcome): string {
  const sum = (pick: (second: Second) => number): number => seconds.reduce((total, second) => total + pick(second), 0)
  const all = sum(({ laptop, pod, failed }) => laptop + pod + failed)
  const byPods = sum(({ pod }) => pod)
  const errors = new Set(seconds.flatMap(second => Object.keys(second.errors)))
  const requests = `${sum(({ failed }) => failed)} of ${all}${errors.size > 0 ? ` (${[...errors].join(', ')})` : ''}`
  return `${requests}, ${byPods} by its pods; ${questions.failed} of ${questions.asked} questions`
}

function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

function indented(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ')
}
