// Services of the namespace, who holds them, and how one takes them and gives them back.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Holder, ServiceRow, WorkRow } from '../model.ts'
import { giveBack } from './api.ts'
import { Filter, Panel, Table } from './parts.tsx'
import { services, servicesError, session, works } from './store.ts'
import { Taking, take } from './taking.tsx'

const filter = signal('')
const failure = signal('')
const HEADS = ['Service', 'Ports', 'State', 'By', '']

export function Services(): JSX.Element {
  const wanted = filter.value
  const shown = services.value.filter(({ service }) => wanted === '' || service.includes(wanted))
  const taken = works.value
  const missing = taken.filter(work => !services.value.some(({ service }) => service === nameOf(work)))
  return (
    <Panel
      id="services"
      title={`Services of ${session.value?.identity.namespace ?? ''}`}
      count={services.value.length}
      beside={
        <>
          <Filter
            label="Services whose name has"
            value={wanted}
            change={value => {
              filter.value = value
            }}
          />
          <button type="button" onClick={() => take({ kind: 'preview', service: '', ports: [] })}>
            Preview a new one…
          </button>
        </>
      }
    >
      {[servicesError.value, failure.value].filter(Boolean).map(text => (
        <p key={text} role="alert" class="error">
          {text}
        </p>
      ))}
      <Table label="Services" heads={HEADS} empty="No services are seen here.">
        {[
          ...shown.map(row => (
            <Row key={row.service} row={row} work={taken.find(work => nameOf(work) === row.service)} />
          )),
          ...missing.map(work => <Row key={`work ${work.id}`} row={unseen(work)} work={work} />)
        ]}
      </Table>
      <Taking />
    </Panel>
  )
}

function Row({ row, work }: { row: ServiceRow; work: WorkRow | undefined }): JSX.Element {
  const { service, ports, state, mode, by } = row
  return (
    <tr data-service={service}>
      <td>{service}</td>
      <td class="wide">{ports.join(', ')}</td>
      <td>
        {work === undefined || work.state === 'running' ? `${state}${mode === '' ? '' : ` (${mode})`}` : work.state}
      </td>
      <td class="wide">{work === undefined ? by.map(holder).join(', ') : ['this kt', ...work.exposed].join('; ')}</td>
      <td class="actions">{work === undefined ? <Take row={row} /> : <GiveBack work={work} />}</td>
    </tr>
  )
}

function Take({ row: { service, ports, state } }: { row: ServiceRow }): JSX.Element | null {
  if (state === 'previewing') return null
  return (
    <>
      {state === 'normal' ? (
        <button type="button" onClick={() => take({ kind: 'exchange', service, ports })}>
          Exchange…
        </button>
      ) : null}
      {state === 'exchanged' ? null : (
        <button type="button" onClick={() => take({ kind: 'mesh', service, ports })}>
          Mesh…
        </button>
      )}
    </>
  )
}

function GiveBack({ work }: { work: WorkRow }): JSX.Element {
  const back = (): void => {
    failure.value = ''
    giveBack(work.id).catch((error: Error) => {
      failure.value = error.message
    })
  }
  return (
    <button type="button" disabled={work.state === 'ending'} onClick={back}>
      {work.state === 'ending' ? 'Giving back' : 'Give back'}
    </button>
  )
}

/** Without `service/` and the like. */
const nameOf = ({ service }: WorkRow): string => service.slice(service.indexOf('/') + 1)

/** One that is not in the list (yet). */
function unseen(work: WorkRow): ServiceRow {
  return { service: work.service, ports: [], state: work.kind, mode: '', by: [] }
}

function holder({ user, host, version }: Holder): string {
  return `${user}${host === '' ? '' : `@${host}`}${version === '' ? '' : ` ${version}`}`
}
