// Goal: whatever an exporter does wrong, the same series, the same up and scrape_* values and the same gaps as in
// Debian's Prometheus 2.42.
// Method: one exporter, one job for each misbehaviour, the same file for both servers; scrape n of either server
// gets the same page. The samples of `up` say when scrape n was, and a range query with a step a scrape shows what
// a reader sees after it. Where 3.x differs from 2.42 on purpose, the row says how and why.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiClient, type Metric, metricKey } from '../harness/api-client.ts'
import { MISBEHAVIOURS, MisbehavingExporter } from '../harness/exporters/misbehaving.ts'
import { type PrometheusPeer, startPrometheus } from '../harness/peer.ts'
import { type RunningNarthex, startNarthex } from '../harness/server.ts'

const INTERVAL_MS = 1000
/** Scrapes that are compared: every round at least once and a half. */
const SCRAPES = 12
/** After a scrape its samples are looked for in the middle of the interval. */
const SETTLED_MS = INTERVAL_MS / 2

/** After each scrape, by series: the value that a query sees, as text. */
type Timeline = Map<string, string>[]

interface Difference {
  name: string
  /** What `up` is here, scrape by scrape; 2.42 has 1 throughout. */
  up: string
  reason: string
}

const DIFFERENCES: readonly Difference[] = [
  {
    name: 'content_type_html',
    up: '010101010101',
    reason: '3.0 refuses a content type that it does not know, without fallback_scrape_protocol',
  },
  {
    name: 'content_type_blank',
    up: '010101010101',
    reason: '3.0 refuses a missing content type, without fallback_scrape_protocol',
  },
  {
    name: 'content_type_garbage',
    up: '010101010101',
    reason: '3.0 refuses a content type that does not parse, without fallback_scrape_protocol',
  },
]

let exporter: MisbehavingExporter
let peer: PrometheusPeer
let server: RunningNarthex
const ours = new Map<string, Timeline>()
const theirs = new Map<string, Timeline>()

/** Of one misbehaviour, target by target, from its first scrape on. */
async function timelines(api: ApiClient, name: string): Promise<Timeline> {
  const ups = (await api.matrix(`up{job="${name}"}[10m]`)).sort((a, b) =>
    metricKey(a.metric) < metricKey(b.metric) ? -1 : 1,
  )
  expect(ups.length, name).toBeGreaterThan(0)
  const timeline: Timeline = Array.from({ length: SCRAPES }, () => new Map())
  for (const { metric, values } of ups) {
    const times = values.map(([t]) => t * 1000).slice(0, SCRAPES)
    expect(times.length, `${name}: scrapes of ${metric.instance}`).toBe(SCRAPES)
    // A slot that was missed would shift all that follows.
    times.forEach((t, n) => {
      expect(Math.abs(t - times[0] - n * INTERVAL_MS), `${name}: scrape ${n}`).toBeLessThan(SETTLED_MS * 0.8)
    })
    const startMs = times[0] + SETTLED_MS
    const endMs = startMs + (SCRAPES - 1) * INTERVAL_MS
    // With honor_labels the page says what job and instance are.
    const selector = `{instance="${metric.instance}",job="${name}"} or {__name__="honored",honored="${name}"}`
    for (const series of await api.queryRange(selector, startMs, endMs, INTERVAL_MS)) {
      for (const [t, v] of series.values) {
        const n = Math.round((t * 1000 - startMs) / INTERVAL_MS)
        timeline[n].set(metricKey(series.metric), shownValue(series.metric, v))
      }
    }
  }
  return timeline
}

/** A duration is never the same twice. */
function shownValue(metric: Metric, value: string): string {
  return metric.__name__ === 'scrape_duration_seconds' ? 'some seconds' : value
}

function asText(timeline: Timeline): string[] {
  return timeline.map((seen, n) => {
    const series = [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key} ${value}`)
    return [`scrape ${n}`, ...series].join('\n')
  })
}

function upOf(timeline: Timeline): string {
  return timeline
    .map((seen) =>
      [...seen]
        .filter(([key]) => key.includes('["__name__","up"]'))
        .map(([, v]) => v)
        .join('/'),
    )
    .join('')
}

beforeAll(async () => {
  exporter = await MisbehavingExporter.start()
  const config = exporter.config('1s')
  ;[peer, server] = await Promise.all([startPrometheus({ config }), startNarthex({ config })])
  const isDone = () => {
    const { readers } = exporter
    const scraped = MISBEHAVIOURS.filter(({ name }) => !NEVER_ASKED.has(name))
    return (
      readers.length === 2 &&
      readers.every((one) => scraped.every(({ name }) => exporter.servedTo(one, name) > SCRAPES))
    )
  }
  const deadline = Date.now() + 60_000
  while (!isDone() && Date.now() < deadline) await sleep(200)
  expect(isDone(), `readers: ${exporter.readers.join()}\n${server.logs()}`).toBe(true)
  // The targets that are never asked may have come a little later.
  await sleep(3 * INTERVAL_MS)
  for (const { name } of MISBEHAVIOURS) {
    ours.set(name, await timelines(new ApiClient(server.url), name))
    theirs.set(name, await timelines(new ApiClient(peer.url), name))
  }
}, 120_000)

/** Their targets fail before a request is made, or are elsewhere. */
const NEVER_ASKED: ReadonlySet<string> = new Set(['target_limit', 'nobody_listens'])

afterAll(async () => {
  await Promise.all([peer?.stop(), server?.stop(), exporter?.stop()])
})

const differing = new Set(DIFFERENCES.map(({ name }) => name))

describe('a misbehaving exporter', () => {
  it.each(MISBEHAVIOURS.filter(({ name }) => !differing.has(name)))('$name', ({ name }) => {
    expect(asText(ours.get(name)!)).toEqual(asText(theirs.get(name)!))
  })

  it('has failed and succeeded in the course of it', () => {
    const ups = [...ours.values()].map(upOf).join('')
    expect(ups).toContain('0')
    expect(ups).toContain('1')
    expect(upOf(ours.get('well_behaved')!)).toBe('1'.repeat(SCRAPES))
  })
})

describe('where 3.x differs from 2.42', () => {
  it.each(DIFFERENCES)('$name: $reason', ({ name, up }) => {
    expect(upOf(ours.get(name)!)).toBe(up)
    expect(upOf(theirs.get(name)!)).toBe('1'.repeat(SCRAPES))
  })
})
