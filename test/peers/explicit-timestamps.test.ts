// Goal: the same samples give the same answers as Debian's Prometheus 2.42, to the last digit.
// Method: an exporter hands both servers the very same samples with their own times, some 40 minutes of the past
// at once and then the present as it goes. All samples lie at odd milliseconds and all queries and ranges at even
// ones, so that 2.42's closed and 3.x' open left edge of a window don't differ. Where 2.42 rounds otherwise than
// 3.x, the row stands in a list of its own, with the reason.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ApiClient,
  instantParameters,
  metricKey,
  rangeParameters,
  type VectorSample,
} from '../harness/api-client.ts'
import { PAST_STEPS, STEP_MS, TimestampedExporter } from '../harness/exporters/explicit-timestamps.ts'
import { type PrometheusPeer, startPrometheus } from '../harness/peer.ts'
import { prng, testSeed } from '../harness/prng.ts'
import { type RunningNarthex, startNarthex } from '../harness/server.ts'

/** Samples that have to arrive after the ones of the past. */
const MOVING_STEPS = 4
/** Even, and such that no query falls on a step of a subquery, where the left edge would count. */
const START_OFFSET_MS = 7_346
/** Longer than any window of a rate, subqueries and offsets included. */
const RATE_WARM_UP_MS = 12 * 60_000
const STEPS_MS = [10_000, 66_000]
const INSTANTS = 6
/** How far `requests_total offset -2m` looks ahead. */
const AHEAD_MS = 120_000
/** That the exporter has. */
const SERIES = 63
const seed = testSeed()

const EXACT: readonly string[] = [
  // Selectors: every matcher, offsets, fixed times, staleness by lookback.
  'requests_total',
  'requests_total{instance="b",code!="200"}',
  'requests_total{instance=~"[ac]",code!~"4.."}',
  '{__name__=~"temp.*|machine_.+",instance=~"a|c"}',
  'requests_total offset 3m',
  'requests_total offset -2m',
  'temperature_celsius @ end()',
  'temperature_celsius @ start() offset -10m',
  'odd_values',
  'sometimes',
  '{kind="",job="explicit",__name__!~"up|scrape_.*"}',
  // Rates.
  'irate(requests_total[1m])',
  'delta(temperature_celsius[4m])',
  'idelta(temperature_celsius[1m])',
  'delta(odd_values[3m])',
  'delta(sometimes[2m])',
  // Over time.
  'sum_over_time(temperature_celsius[3m])',
  'sum_over_time(sometimes[3m])',
  'count_over_time(sometimes[2m])',
  'count_over_time(odd_values[2m] @ end())',
  'min_over_time(temperature_celsius[5m])',
  'max_over_time(temperature_celsius[5m])',
  'min_over_time(odd_values[1m])',
  'max_over_time(odd_values[1m])',
  'last_over_time(sometimes[5m])',
  'present_over_time(sometimes[1m])',
  'quantile_over_time(0.9, temperature_celsius[5m])',
  // Which zero comes first in sorted order is not defined.
  'quantile_over_time(0.25, odd_values{kind!="zero"}[2m])',
  'avg_over_time(temperature_celsius[5s])',
  'avg_over_time(machine_info[5m])',
  'absent_over_time(sometimes{kind="gaps"}[1m])',
  // Aggregations.
  'sum(requests_total)',
  'sum by (code) (requests_total)',
  'count by (instance) (requests_total)',
  'min by (room) (temperature_celsius)',
  'max without (instance, room) (temperature_celsius)',
  'avg by (room) (temperature_celsius)',
  'group by (code) (requests_total)',
  'topk(2, requests_total)',
  'bottomk by (code) (1, requests_total)',
  'quantile(0.7, temperature_celsius)',
  'quantile by (code) (0.5, requests_total)',
  'count_values("reading", temperature_celsius)',
  'sum(odd_values)',
  'max(odd_values)',
  'count(sometimes)',
  // Arithmetic and comparison.
  'temperature_celsius * 9 / 5 + 32',
  '-temperature_celsius',
  'requests_total % 7',
  'temperature_celsius ^ 2',
  'odd_values * 2',
  '1 / odd_values',
  'temperature_celsius > 0',
  'temperature_celsius >= bool 10',
  'odd_values == odd_values',
  'odd_values != bool 0.5',
  '2 ^ 3 ^ 2 - 5 % 3',
  // Matching.
  'latency_seconds_sum / latency_seconds_count',
  'requests_total / on (instance) group_left (model, rack) machine_info',
  'machine_info * on (instance) group_right (model) requests_total',
  'requests_total{code="200"} / ignoring (code) sum without (code) (requests_total)',
  'temperature_celsius * on (instance) machine_info',
  'requests_total and on (instance) (temperature_celsius > 0)',
  'requests_total unless on (instance) (temperature_celsius > 0)',
  'sometimes or odd_values',
  // Histograms.
  'histogram_quantile(0.99, latency_seconds_bucket)',
  'histogram_quantile(1.5, latency_seconds_bucket)',
  // Labels and times.
  'label_replace(requests_total, "class", "$1", "code", "(.).*")',
  'label_replace(machine_info, "rack", "", "rack", "r1")',
  'time()',
  'vector(time() - 5)',
  'scalar(temperature_celsius{instance="a"}) + 1',
  'scalar(temperature_celsius)',
  'vector(scalar(sometimes{kind="gaps"}))',
  'absent(sometimes{kind="gaps"})',
  'absent(requests_total)',
  'absent(nothing{a="b",c=~"d"})',
  // Subqueries.
  'sum_over_time(temperature_celsius[5m:20s])',
  'min_over_time((temperature_celsius > 0)[5m:1m])',
  'count_over_time(sometimes[10m:30s] offset 1m)',
  'quantile_over_time(0.5, sum by (code) (requests_total)[5m:30s])',
  'max_over_time(sum_over_time(temperature_celsius[1m])[5m:30s] @ end())',
]

/**
 * Asked for only from RATE_WARM_UP_MS on: where a counter begins, far from the window's start, 2.42 extends it to
 * where it would have been zero, and 3.x by half a gap at most.
 */
const EXACT_RATES: readonly string[] = [
  'rate(requests_total[5m])',
  'rate(requests_total[1m])',
  'rate(requests_total[5m] offset 1m)',
  'rate(requests_total[5m] @ end())',
  'increase(requests_total[10m])',
  'increase(requests_total{code="200"}[1m])',
  'rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])',
  'rate(requests_total[5m]) * on (instance) group_left (model) machine_info',
  'topk by (code) (1, rate(requests_total[3m]))',
  'histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))',
  'max_over_time(rate(requests_total[1m])[10m:30s])',
  'rate(sum by (instance) (latency_seconds_count)[10m:30s])',
]

/** How far 2.42 may be off, relative to the value. */
const ROUNDING = 1e-9
const CLOSE: readonly (readonly [expression: string, reason: string])[] = [
  [
    'avg_over_time(temperature_celsius[5m])',
    '2.42 updates a mean sample by sample; 3.x divides a compensated sum',
  ],
  ['avg_over_time(temperature_celsius[10s])', 'likewise'],
  ['avg(temperature_celsius)', 'likewise, series by series'],
  ['avg_over_time(odd_values{kind="digits"}[5m])', 'likewise'],
  ['sum(rate(requests_total[5m]))', '2.42 adds series without compensation'],
  ['sum without (code) (rate(requests_total[5m]))', 'likewise'],
  ['sum by (model) (rate(requests_total[5m]) * on (instance) group_left (model) machine_info)', 'likewise'],
  ['histogram_quantile(0.5, sum by (le) (rate(latency_seconds_bucket[10m])))', 'likewise'],
  ['stddev(temperature_celsius)', '2.42 adds series without compensation'],
  ['stdvar by (room) (temperature_celsius)', 'likewise'],
  ['stddev_over_time(temperature_celsius[5m])', '3.x compensates the sum of squares too'],
  ['stdvar_over_time(requests_total[2m])', 'likewise'],
]

let exporter: TimestampedExporter
let peer: PrometheusPeer
let server: RunningNarthex
let ours: ApiClient
let theirs: ApiClient
/** Both servers have all samples up to here. */
let endMs = 0

beforeAll(async () => {
  exporter = await TimestampedExporter.start()
  const config = [
    'global: {scrape_interval: 1s}',
    'scrape_configs:',
    `- {job_name: explicit, honor_labels: true, static_configs: [{targets: ['${exporter.address}']}]}`,
  ].join('\n')
  const args = ['--query.lookback-delta=1m']
  ;[peer, server] = await Promise.all([startPrometheus({ config, args }), startNarthex({ config, args })])
  ours = new ApiClient(server.url)
  theirs = new ApiClient(peer.url)
  const isDone = () => {
    const handed = [...exporter.handed.values()]
    return handed.length === 2 && handed.every((next) => next > PAST_STEPS + MOVING_STEPS)
  }
  const deadline = Date.now() + 90_000
  while (!isDone() && Date.now() < deadline) await sleep(200)
  expect(isDone(), `${JSON.stringify([...exporter.handed])}\n${server.logs()}`).toBe(true)
  // What was handed out is committed a moment later.
  await sleep(1000)
  endMs = exporter.timeOf(Math.min(...exporter.handed.values()) - 1) + 1
}, 120_000)

afterAll(async () => {
  await Promise.all([peer?.stop(), server?.stop(), exporter?.stop()])
})

/** Expression and where its range begins, after the first sample. */
type Row = readonly [expression: string, warmUpMs: number]
const ROWS: readonly Row[] = [
  ...EXACT.map((expression): Row => [expression, 0]),
  ...EXACT_RATES.map((expression): Row => [expression, RATE_WARM_UP_MS]),
]

const startOf = (warmUpMs: number) => exporter.baseMs + START_OFFSET_MS + warmUpMs

/** What looks ahead ends so much earlier: later samples may have come to one of the servers only. */
const endOf = (query: string) => (query.endsWith(` offset -${AHEAD_MS / 60_000}m`) ? endMs - AHEAD_MS : endMs)

const instants = (query: string, warmUpMs: number) => {
  const random = prng(seed)
  const startMs = startOf(warmUpMs)
  return Array.from({ length: INSTANTS }, () => {
    const second = random.int(0, Math.floor((endOf(query) - startMs) / 1000))
    return startMs + second * 1000
  })
}

/** As far as the answers' data go; upstream 2.42 has no infos after them. */
function expectSameData(own: string, other: string, where: string): void {
  const data = other.slice(0, other.lastIndexOf('}'))
  if (own.startsWith(data) && /^[,}]/.test(own.slice(data.length))) return
  let at = 0
  while (own[at] === data[at]) at++
  const from = Math.max(0, data.lastIndexOf('{"metric"', at))
  const context = (text: string) =>
    `${text.slice(from, from + 160)} … ${text.slice(Math.max(0, at - 60), at + 60)}`
  expect(context(own), where).toBe(context(data))
}

function sortedVector(body: string): string {
  const { data } = JSON.parse(body) as { data: { resultType: string; result: VectorSample[] } }
  if (data.resultType !== 'vector') return JSON.stringify(data)
  const rows = data.result.map((row) => [metricKey(row.metric), JSON.stringify(row.value)] as const)
  return JSON.stringify(rows.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** [by series] [by step] the values of both servers. */
function valuesOf(body: string): { keys: string[]; times: number[][]; values: number[][] } {
  const { data } = JSON.parse(body) as {
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] }
  }
  return {
    keys: data.result.map(({ metric }) => metricKey(metric)),
    times: data.result.map(({ values }) => values.map(([t]) => t)),
    values: data.result.map(({ values }) => values.map(([, v]) => Number(v.replace('Inf', 'Infinity')))),
  }
}

describe('the same samples', () => {
  it('have arrived in both, every one of them', async () => {
    const from = exporter.baseMs - 1
    const rangeSeconds = (endMs - from - 1) / 1000
    const query = `{job="explicit",__name__!~"up|scrape_.*"}[${Math.ceil(rangeSeconds)}s]`
    const sorted = async (api: ApiClient) =>
      (await api.matrix(query, endMs))
        .map((series) => [metricKey(series.metric), series.values] as const)
        .sort()
    const [mine, other] = [await sorted(ours), await sorted(theirs)]
    expect(mine.length).toBe(SERIES)
    expect(mine.map(([key, values]) => `${key} ${values.length}`)).toEqual(
      other.map(([key, values]) => `${key} ${values.length}`),
    )
    expect(mine).toEqual(other)
    const counted = mine.reduce((sum, [, values]) => sum + values.length, 0)
    expect(counted).toBeGreaterThan((40 * (endMs - exporter.baseMs)) / STEP_MS)
  })
})

describe('range queries agree to the last digit', () => {
  it.each(ROWS)('%s', async (query, warmUpMs) => {
    for (const stepMs of STEPS_MS) {
      const parameters = rangeParameters(query, startOf(warmUpMs), endOf(query), stepMs)
      const [own, other] = await Promise.all([
        ours.get('/api/v1/query_range', parameters),
        theirs.get('/api/v1/query_range', parameters),
      ])
      const where = `${query} ${JSON.stringify(parameters)}`
      expect([own.status, other.status], `${where} ${own.body.slice(0, 300)}`).toEqual([200, 200])
      expectSameData(own.body, other.body, where)
    }
  })
})

describe('instant queries agree to the last digit', () => {
  it.each(ROWS)('%s', async (query, warmUpMs) => {
    for (const timeMs of instants(query, warmUpMs)) {
      const parameters = instantParameters(query, timeMs)
      const [own, other] = await Promise.all([
        ours.get('/api/v1/query', parameters),
        theirs.get('/api/v1/query', parameters),
      ])
      const where = `SEED=${seed} ${query} ${JSON.stringify(parameters)}`
      expect([own.status, other.status], `${where} ${own.body.slice(0, 300)}`).toEqual([200, 200])
      expect(sortedVector(own.body), where).toBe(sortedVector(other.body))
    }
  })
})

describe('what 2.42 rounds otherwise agrees but for the last digits', () => {
  it.each(CLOSE)('%s (%s)', async (query) => {
    const parameters = rangeParameters(query, startOf(RATE_WARM_UP_MS), endMs, STEPS_MS[0])
    const [own, other] = await Promise.all([
      ours.get('/api/v1/query_range', parameters),
      theirs.get('/api/v1/query_range', parameters),
    ])
    expect([own.status, other.status], `${query} ${own.body.slice(0, 300)}`).toEqual([200, 200])
    const [mine, reference] = [valuesOf(own.body), valuesOf(other.body)]
    expect(mine.keys, query).toEqual(reference.keys)
    expect(mine.times, query).toEqual(reference.times)
    const far = mine.values.flatMap((row, i) =>
      row.flatMap((v, step) => {
        const w = reference.values[i][step]
        const isNear = Object.is(v, w) || Math.abs(v - w) <= ROUNDING * Math.max(Math.abs(v), Math.abs(w))
        return isNear ? [] : [`${mine.keys[i]} ${v} ${w}`]
      }),
    )
    expect(far, query).toEqual([])
  })
})
