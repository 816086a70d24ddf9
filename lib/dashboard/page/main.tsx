// The page: one column of sections on a phone, two and more where there is room.
import { type JSX, render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import { Charts } from './charts.tsx'
import { Flows } from './flows.tsx'
import { bytes, clock } from './format.ts'
import { Names } from './names.tsx'
import { Panel, Table } from './parts.tsx'
import { Requests } from './requests.tsx'
import { Services } from './services.tsx'
import { listen, log, session, status, trouble } from './store.ts'
import './style.css'

const SECTIONS = [
  ['flows', 'Connections'],
  ['services', 'Services'],
  ['requests', 'Requests'],
  ['names', 'Names'],
  ['carrier', 'Carrier'],
  ['log', 'Log']
] as const

function App(): JSX.Element {
  return (
    <>
      <Head />
      <main>
        {trouble.value === '' ? null : (
          <p role="alert" class="error">
            {trouble.value}
          </p>
        )}
        <Charts />
        <div class="panels">
          <Flows />
          <Services />
          <Requests />
          <Names />
          <Carrier />
          <Log />
        </div>
      </main>
    </>
  )
}

function Head(): JSX.Element {
  const who = session.value?.identity
  const now = status.value
  return (
    <header class="page">
      <h1>
        kt {who?.command} <span class={`state ${now?.state ?? ''}`}>{now?.state ?? 'connecting'}</span>
      </h1>
      <p>
        {who === undefined ? '' : `${who.context} (${who.server}), namespace ${who.namespace}`}
        {now === undefined ? '' : ` · ${bytes(now.bytesIn)} in, ${bytes(now.bytesOut)} out`}
      </p>
      <nav aria-label="Sections">
        {SECTIONS.map(([id, title]) => (
          <a key={id} href={`#${id}-title`}>
            {title}
          </a>
        ))}
      </nav>
    </header>
  )
}

function Carrier(): JSX.Element {
  const now = status.value
  return (
    <Panel id="carrier" title="Carrier">
      <p>
        {now === undefined
          ? ''
          : `${now.state} since ${clock(now.stateSince)}${now.detail === '' ? '' : `: ${now.detail}`}; pod ${now.pod}`}
      </p>
      <Table label="What became of the carriers" heads={['At', 'Event', 'Detail']} empty="No carrier yet.">
        {(now?.carriers ?? []).toReversed().map(({ at, event, detail }) => (
          <tr key={`${at} ${event}`} class={event === 'lost' || event === 'failed' ? 'failed' : ''}>
            <td>{clock(at)}</td>
            <td>{event}</td>
            <td class="wide">{detail}</td>
          </tr>
        ))}
      </Table>
      <Table label="Routes" heads={['Route', 'Reason']} empty="">
        {(now?.routes ?? []).map(({ cidr, reason }) => (
          <tr key={cidr}>
            <td>{cidr}</td>
            <td class="wide">{reason}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function Log(): JSX.Element {
  return (
    <Panel id="log" title="Log">
      <ol class="log">
        {log.value.map(({ at, event, text }, i) => (
          <li key={`${at} ${log.value.length - i}`} class={event}>
            <time>{clock(at)}</time> <span>{text}</span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}

render(<App />, document.getElementById('app')!)
void listen()
