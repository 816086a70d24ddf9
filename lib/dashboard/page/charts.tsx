// Throughput and round trip over the last five minutes.

import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import type { Sample } from '../model.ts'
import { bytes, clock, duration, rate } from './format.ts'
import { samples } from './store.ts'

const HEIGHT = 180
/** What is shown of the past, seconds. */
const SPAN_S = 300

/** Marks below a chart, seconds apart: their labels are minutes. */
const MARKS_S = [60, 120, 300]

interface Line {
  label: string
  /** Name of a colour in style.css. */
  colour: string
  of(sample: Sample): number
}

interface Kind {
  lines: readonly Line[]
  /** A value as its label. */
  axis(value: number): string
  /** The scale reaches at least up to this. */
  floor: number
}

const TRAFFIC: Kind = {
  lines: [
    { label: 'from the cluster', colour: '--in', of: ({ inRate }) => inRate },
    { label: 'to the cluster', colour: '--out', of: ({ outRate }) => outRate }
  ],
  axis: bytes,
  floor: 1024
}
const LATENCY: Kind = {
  lines: [{ label: 'round trip', colour: '--trip', of: ({ roundTripMs }) => roundTripMs }],
  axis: duration,
  floor: 1
}

/** Both charts. */
export function Charts(): JSX.Element {
  const last = samples.value.at(-1)
  return (
    <section class="charts" aria-labelledby="charts-title">
      <h2 id="charts-title" class="hidden">
        Throughput and latency
      </h2>
      <figure>
        <figcaption>
          <span class="dot in">from the cluster {rate(last?.inRate ?? 0)}</span>
          <span class="dot out">to the cluster {rate(last?.outRate ?? 0)}</span>
        </figcaption>
        <Chart kind={TRAFFIC} />
      </figure>
      <figure>
        <figcaption>
          <span class="dot trip">round trip to the agent {duration(last?.roundTripMs ?? 0)}</span>
        </figcaption>
        <Chart kind={LATENCY} />
      </figure>
    </section>
  )
}

function Chart({ kind }: { kind: Kind }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const dark = matchMedia('(prefers-color-scheme: dark)')
    let plot = draw(element, kind)
    const again = (): void => {
      plot.destroy()
      plot = draw(element, kind)
    }
    dark.addEventListener('change', again)
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    resize.observe(element)
    const unsubscribe = samples.subscribe(() => plot.setData(dataOf(kind)))
    return () => {
      unsubscribe()
      resize.disconnect()
      dark.removeEventListener('change', again)
      plot.destroy()
    }
  }, [kind])
  return <div ref={place} class="chart" aria-hidden="true" />
}

function draw(element: HTMLElement, kind: Kind): uPlot {
  const { lines, axis, floor } = kind
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const lined = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
  return new uPlot(
    {
      width: Math.max(element.clientWidth, 100),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false },
      scales: {
        x: { range: (_, _min, max) => [max - SPAN_S, max] },
        y: { range: (_, _min, max) => [0, Math.max(max * 1.1, floor)] }
      },
      axes: [
        {
          ...lined,
          size: 30,
          space: 60,
          incrs: MARKS_S,
          values: (_, values) => values.map(at => clock(at * 1000).slice(0, 5))
        },
        { ...lined, size: 76, values: (_, values) => values.map(axis) }
      ],
      series: [
        {},
        ...lines.map(({ label, colour: name }) => ({ label, stroke: colour(name), width: 2, points: { show: false } }))
      ]
    },
    dataOf(kind),
    element
  )
}

function dataOf({ lines }: Kind): uPlot.AlignedData {
  const all = samples.value
  return [all.map(({ at }) => at / 1000), ...lines.map(({ of }) => all.map(of))]
}
