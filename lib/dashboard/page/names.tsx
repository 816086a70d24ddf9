// Questions to the DNS with why they were answered so, and a way to ask one.
import { signal } from '@preact/signals'
import type { JSX, TargetedSubmitEvent } from 'preact'
import { type Explained, explainName } from './api.ts'
import { clock, duration } from './format.ts'
import { Filter, Name, Panel, Table } from './parts.tsx'
import { questions } from './store.ts'

const filter = signal('')
const answer = signal<Explained | string>('')
const HEADS = ['At', 'Name', 'Type', 'Answer', 'From', 'Took', 'Why']
const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'CNAME', 'TXT']

export function Names(): JSX.Element {
  const wanted = filter.value
  const shown = questions.value.filter(({ name, why }) => wanted === '' || `${name} ${why}`.includes(wanted))
  return (
    <Panel
      id="names"
      title="Names"
      count={questions.value.length}
      beside={
        <Filter
          label="Questions whose name or reason has"
          value={wanted}
          change={value => {
            filter.value = value
          }}
        />
      }
    >
      <Ask />
      <Table label="Questions to the DNS" heads={HEADS} empty="Nobody has asked since this page is open.">
        {shown.map(row => (
          <tr key={row.id} class={row.rcode === 'NOERROR' ? '' : 'failed'}>
            <td>{clock(row.at)}</td>
            <td class="wide">
              <Name text={row.name} />
            </td>
            <td>{row.type}</td>
            <td class="wide">{row.addresses.length === 0 ? row.rcode : row.addresses.join(', ')}</td>
            <td>{row.source}</td>
            <td class="number">{duration(row.ms)}</td>
            <td class="wide">{row.why}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function Ask(): JSX.Element {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    explainName(String(form.get('name')), String(form.get('type'))).then(
      found => {
        answer.value = found
      },
      (error: Error) => {
        answer.value = error.message
      }
    )
  }
  const found = answer.value
  return (
    <form class="line" onSubmit={submit}>
      <label>
        Who answers <input name="name" required placeholder="nginx.demo" autocomplete="off" spellcheck={false} />
      </label>
      <select name="type" aria-label="Type of the record">
        {TYPES.map(type => (
          <option key={type}>{type}</option>
        ))}
      </select>
      <button type="submit">Ask</button>
      <output>
        {typeof found === 'string' ? (
          found
        ) : (
          <ul>
            {found.steps.map(({ step, text }) => (
              <li key={step}>
                {step}: {text}
              </li>
            ))}
            {found.records.map(({ name, ttl, type, data }) => (
              <li key={`${name} ${type} ${data}`}>
                <code>
                  {name} {ttl} {type} {data}
                </code>
              </li>
            ))}
          </ul>
        )}
      </output>
    </form>
  )
}
