// What several sections are made of.
import type { ComponentChildren, JSX } from 'preact'

/** A section with a heading, a count, and something beside it. */
export function Panel(props: {
  id: string
  title: string
  count?: number
  beside?: ComponentChildren
  children: ComponentChildren
}): JSX.Element {
  const { id, title, count, beside, children } = props
  return (
    <section id={id} class="panel" aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`} tabIndex={-1}>
          {title}
          {count === undefined ? null : <span class="count">{count}</span>}
        </h2>
        {beside}
      </header>
      {children}
    </section>
  )
}

/** A table that scrolls by itself, also with the keyboard. */
export function Table(props: { label: string; heads: string[]; empty: string; children: JSX.Element[] }): JSX.Element {
  const { label, heads, empty, children } = props
  if (children.length === 0) return <p class="empty">{empty}</p>
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard (WCAG 2.1.1)
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {heads.map(head => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}

/** A name that may be broken behind its dots. */
export function Name({ text }: { text: string }): JSX.Element {
  const [first, ...others] = text.split(/(?<=\.)/)
  return (
    <>
      {first}
      {others.map(part => (
        <>
          <wbr />
          {part}
        </>
      ))}
    </>
  )
}

/** A field that narrows down what a section shows. */
export function Filter(props: { label: string; value: string; change(value: string): void }): JSX.Element {
  const { label, value, change } = props
  return (
    <input
      type="search"
      aria-label={label}
      placeholder="filter"
      value={value}
      onInput={event => change(event.currentTarget.value.toLowerCase())}
    />
  )
}
