// Requests that came through exchange, mesh and preview: one line each, more on demand.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { BodyView, Header, RequestRow } from '../model.ts'
import { readBody } from './api.ts'
import { asCurl } from './curl.ts'
import { bytes, clock, duration } from './format.ts'
import { Filter, Panel } from './parts.tsx'
import { requests } from './store.ts'

const filter = signal('')
/** Bodies that were asked for, by `ID side`. */
const bodies = signal<Readonly<Record<string, BodyView | string>>>({})
/** The request whose curl was to be copied last, and whether that worked. */
const copied = signal({ id: 0, worked: true })

export function Requests(): JSX.Element {
  const wanted = filter.value
  const shown = requests.value.filter(row => wanted === '' || textOf(row).includes(wanted))
  return (
    <Panel
      id="requests"
      title="Requests"
      count={requests.value.length}
      beside={
        <Filter
          label="Requests whose method, path or status has"
          value={wanted}
          change={value => {
            filter.value = value
          }}
        />
      }
    >
      {shown.length === 0 ? (
        <p class="empty">
          HTTP/1 requests that exchange, mesh and preview bring to this computer, on connections that begin while this
          page is open.
        </p>
      ) : (
        <ol class="requests">
          {shown.map(row => (
            <li key={row.id} data-request={row.id}>
              <Request row={row} />
            </li>
          ))}
        </ol>
      )}
    </Panel>
  )
}

function Request({ row }: { row: RequestRow }): JSX.Element {
  const { at, method, path, status, ms, done, to, source, port } = row
  return (
    <details>
      <summary class={status >= 400 ? 'failed' : ''}>
        <span>{clock(at)}</span>
        <strong>{method}</strong>
        <span class="path">{path}</span>
        <span>{status === 0 ? (done ? 'no answer' : '…') : status}</span>
        <span class="number">{status === 0 ? '' : duration(ms)}</span>
      </summary>
      <p>
        {source} → port {port} → {to}{' '}
        <button type="button" onClick={() => void copy(row)}>
          {copied.value.id !== row.id ? 'Copy as curl' : copied.value.worked ? 'Copied' : 'The browser forbids it'}
        </button>
      </p>
      <Side row={row} side="request" headers={row.requestHeaders} length={row.requestBytes} />
      <Side row={row} side="response" headers={row.responseHeaders} length={row.responseBytes} />
    </details>
  )
}

function Side(props: {
  row: RequestRow
  side: 'request' | 'response'
  headers: readonly Header[]
  length: number
}): JSX.Element {
  const { row, side, headers, length } = props
  const body = bodies.value[`${row.id} ${side}`]
  return (
    <section aria-label={`${side} ${row.id}`}>
      <h3>{side === 'request' ? 'Request' : 'Response'}</h3>
      <dl class="headers">
        {headers.map(([name, value], i) => (
          <div key={i}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {length === 0 ? null : body === undefined ? (
        <button type="button" onClick={() => void show(row.id, side)}>
          Body, {bytes(length)}
        </button>
      ) : typeof body === 'string' ? (
        <p class="error">{body}</p>
      ) : (
        <>
          <pre>{body.body}</pre>
          {body.base64 || body.cut ? (
            <p class="empty">{[body.base64 ? 'in base64' : '', body.cut ? 'only its beginning' : ''].join(' ')}</p>
          ) : null}
        </>
      )}
    </section>
  )
}

async function show(id: number, side: 'request' | 'response'): Promise<void> {
  const body = await readBody(id, side).catch((error: Error) => error.message)
  bodies.value = { ...bodies.value, [`${id} ${side}`]: body }
}

async function copy(row: RequestRow): Promise<void> {
  const body = row.requestBytes === 0 ? undefined : await readBody(row.id, 'request').catch(() => undefined)
  const text = body === undefined || body.base64 || body.cut ? undefined : body.body
  const worked = await navigator.clipboard.writeText(asCurl(row, text)).then(
    () => true,
    () => false
  )
  copied.value = { id: row.id, worked }
}

function textOf({ method, path, status }: RequestRow): string {
  return `${method} ${path} ${status}`.toLowerCase()
}
