// Which route a request takes. spec.md, "The file".
import type { Condition, Route, ValueTest } from './config.ts'
import { linear } from './linear.ts'

/** What the conditions look at. */
export interface RequestView {
  /** The target's path, without its query; undecoded. */
  readonly path: string
  /** What follows the `?`, undecoded; empty without one. */
  readonly query: string
  /** Values of all lines of a field; `name` is in lower case. */
  field(name: string): readonly string[]
}

type Test = (request: RequestView) => boolean

/** The routes in force. */
export class RouteTable {
  readonly #byPort = new Map<number, { route: Route; tests: Test[] }[]>()

  /** `routes` have been parsed by `parseRoutes`. */
  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const tests = route.match.map(compile)
      for (const port of Object.keys(route.to.ports).map(Number)) {
        const those = this.#byPort.get(port) ?? []
        this.#byPort.set(port, [...those, { route, tests }])
      }
    }
  }

  /** The first route that applies to the port and all of whose conditions hold. */
  find(port: number, request: RequestView): Route | undefined {
    const routes = this.#byPort.get(port)
    if (routes === undefined) return undefined
    for (const { route, tests } of routes) if (tests.every(test => test(request))) return route
    return undefined
  }
}

function compile(condition: Condition): Test {
  if ('pathPrefix' in condition) return pathTest(condition.pathPrefix)
  const matches = compileValue(condition)
  if ('header' in condition) {
    const name = condition.header.toLowerCase()
    return request => request.field(name).some(matches)
  }
  if ('cookie' in condition) {
    const start = `${condition.cookie}=`
    return request =>
      request
        .field('cookie')
        .flatMap(line => line.split(';'))
        .map(pair => pair.trim())
        .some(pair => pair.startsWith(start) && matches(pair.slice(start.length)))
  }
  return request => request.query !== '' && new URLSearchParams(request.query).getAll(condition.query).some(matches)
}

function compileValue(test: ValueTest): (value: string) => boolean {
  if ('regex' in test) return linear(test.regex)
  const { exact } = test
  return value => value === exact
}

/** Whole segments, as the Gateway API's PathPrefix. */
function pathTest(prefix: string): Test {
  const path = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  return request => request.path === path || request.path.startsWith(`${path}/`)
}

/** Path and query of a request target: origin, absolute, asterisk or authority form (RFC 9112 §3.2). */
export function splitTarget(target: string): { path: string; query: string } {
  let start = 0
  if (!target.startsWith('/')) {
    const authority = target.indexOf('://')
    if (authority > 0) {
      const end = target.slice(authority + 3).search(/[/?]/)
      start = end < 0 ? target.length : authority + 3 + end
    }
  }
  const mark = target.indexOf('?', start)
  const path = mark < 0 ? target.slice(start) : target.slice(start, mark)
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : target.slice(mark + 1) }
}
