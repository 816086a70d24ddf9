// The dialog in which an exchange, a mesh or a preview is begun.
import { signal } from '@preact/signals'
import type { JSX, TargetedSubmitEvent } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { WorkKind } from '../model.ts'
import { beginWork } from './api.ts'

interface Wanted {
  kind: WorkKind
  /** Empty: to be chosen. */
  service: string
  ports: string[]
}

const TITLES: Record<WorkKind, string> = {
  exchange: 'Lead all its traffic to a program on this computer',
  mesh: 'Lead requests with your header to a program on this computer',
  preview: 'Offer a program on this computer as a new service'
}

const wanted = signal<Wanted | undefined>(undefined)
const busy = signal(false)
const failure = signal('')

/** Ask for what is missing, then begin. */
export function take(what: Wanted): void {
  failure.value = ''
  wanted.value = what
}

export function Taking(): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null)
  const what = wanted.value
  useEffect(() => {
    if (what === undefined || dialog.current?.open !== false) return
    dialog.current.showModal()
    dialog.current.querySelector<HTMLInputElement>('input:not([readonly])')?.focus()
  }, [what])
  if (what === undefined) return null
  const close = (): void => {
    wanted.value = undefined
  }
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="taking-title">
      <form onSubmit={event => submit(event, what, close)}>
        <h3 id="taking-title">{TITLES[what.kind]}</h3>
        <label>
          Service
          <input
            name="service"
            required
            value={what.service}
            readOnly={what.service !== ''}
            pattern="[a-z][-a-z0-9]*"
          />
        </label>
        <label>
          Ports, as LOCAL:PORT, several with commas
          <input name="expose" required value={suggestion(what)} autocomplete="off" spellcheck={false} />
        </label>
        {what.kind === 'mesh' ? (
          <label>
            Version, or HEADER:VERSION (empty: five random letters)
            <input name="versionMark" autocomplete="off" spellcheck={false} />
          </label>
        ) : null}
        {failure.value === '' ? null : (
          <p role="alert" class="error">
            {failure.value}
          </p>
        )}
        <p class="buttons">
          <button type="submit" disabled={busy.value}>
            {busy.value ? 'Beginning…' : 'Begin'}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            {busy.value ? 'Close' : 'Cancel'}
          </button>
        </p>
      </form>
    </dialog>
  )
}

function submit(event: TargetedSubmitEvent<HTMLFormElement>, { kind }: Wanted, close: () => void): void {
  event.preventDefault()
  const form = new FormData(event.currentTarget)
  const field = (name: string): string => String(form.get(name) ?? '').trim()
  busy.value = true
  failure.value = ''
  beginWork({ kind, service: field('service'), expose: field('expose'), versionMark: field('versionMark') })
    .then(close, (error: Error) => {
      failure.value = error.message
    })
    .finally(() => {
      busy.value = false
    })
}

/** `80/tcp http` → `80:80`. */
function suggestion({ ports: [first = ''] }: Wanted): string {
  const [, port, network] = /^(\d+)\/(\w+)/.exec(first) ?? []
  if (port === undefined) return '8080:80'
  return `${port}:${port}${network === 'udp' ? '/udp' : ''}`
}
