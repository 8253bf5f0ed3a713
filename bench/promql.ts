/**
 * How fast the engine is by itself: a range query over many counters that lie in plain arrays.
 *
 *   npm run bench -- promql [SERIES [SAMPLES]]
 *
 * Prints milliseconds of a run and nanoseconds for each series and step: the best of some runs, and their median.
 */
import { Engine } from '../promql/engine.ts'
import type { Queryable } from '../storage/interface.ts'
import { Labels } from '../storage/model/labels.ts'

const SCRAPE_MS = 15_000
const STEP_MS = 60_000
const RUNS = 15

interface Counters {
  labels: Labels[]
  t: Float64Array
  v: Float64Array[]
  kind: Uint8Array
}

/** Whole counters with a reset now and then, all scraped at the same times. */
function makeCounters(series: number, samples: number): Counters {
  const t = Float64Array.from({ length: samples }, (_, i) => i * SCRAPE_MS)
  const labels: Labels[] = []
  const v: Float64Array[] = []
  for (let i = 0; i < series; i++) {
    labels.push(Labels.from({ __name__: 'm_total', instance: `i${i}`, x: `x${i % 10}` }))
    let value = i
    v.push(Float64Array.from(t, (_, s) => (value = (s + i) % 500 === 0 ? 0 : value + ((s * 7 + i) % 13))))
  }
  return { labels, t, v, kind: new Uint8Array(samples) }
}

function queryableOf({ labels, t, v, kind }: Counters): Queryable {
  return {
    querier: () => ({
      select: async () => ({
        samplesEstimate: 0,
        count: labels.length,
        labels: (i) => labels[i],
        read: (i, into) => {
          into.clear()
          into.reserve(t.length)
          into.t.set(t)
          into.v.set(v[i])
          into.kind.set(kind)
          into.length = t.length
        },
      }),
      labelNames: async () => [],
      warnings: () => [],
      labelValues: async () => [],
      close: () => {},
    }),
  }
}

const QUERIES = [
  'sum by (x) (rate(m_total[5m]))',
  'sum by (x) (rate(m_total[1h]))',
  'sum by (x) (sum_over_time(m_total[5m]))',
  'max by (x) (max_over_time(m_total[1h]))',
  'm_total / on (instance) m_total',
  'topk(5, m_total)',
]

export async function run(args: string[]): Promise<void> {
  const [series = 2500, samples = 1440] = args.map(Number)
  const engine = new Engine({
    lookbackMs: 300_000,
    maxSamples: 50_000_000,
    defaultSubqueryStepMs: 60_000,
    features: {},
  })
  const counters = makeCounters(series, samples)
  const queryable = queryableOf(counters)
  const endMs = Math.ceil(counters.t[samples - 1] / STEP_MS) * STEP_MS
  const steps = endMs / STEP_MS + 1
  console.log(`${series} counters × ${samples} samples, ${steps} steps`)
  for (const query of QUERIES) {
    const times: number[] = []
    for (let i = 0; i < RUNS; i++) {
      const { timings } = await engine.rangeQuery(queryable, query, 0, endMs, STEP_MS)
      times.push(timings.prepareMs + timings.evalMs + timings.sortMs)
    }
    times.sort((a, b) => a - b)
    const perStep = (ms: number) => ((ms * 1e6) / series / steps).toFixed(1)
    const [best, median] = [times[0], times[RUNS >> 1]]
    const texts = [best, median].map((ms) => `${ms.toFixed(1)} ms (${perStep(ms)} ns a series-step)`)
    console.log(`${query}: best ${texts[0]}, median ${texts[1]}`)
  }
}
