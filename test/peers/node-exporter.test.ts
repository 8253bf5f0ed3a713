// Goal: a Prometheus configuration works unchanged, and what it collects reads the same.
// Method: Debian's node-exporter, Debian's Prometheus and our server, all three scraped by the last two with the
// same file for PEER_SECONDS. Both are then asked the same; labels and points must be the same, constants exactly.
// What moves was seen at other moments by the other server, at most an interval apart: our value must lie between
// the lowest and the highest that the other one knows of that time and two intervals around it, give or take the
// row's slack. For a counter that only grows no slack is needed.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiClient, type MatrixSeries, type Metric, metricKey } from '../harness/api-client.ts'
import { type NodeExporter, startNodeExporter } from '../harness/exporters/node-exporter.ts'
import { type PrometheusPeer, startPrometheus } from '../harness/peer.ts'
import {
  freePort,
  type RunningNarthex,
  runNarthex,
  startNarthex,
  temporaryFolder,
  waitUntilReady,
} from '../harness/server.ts'

const SECONDS = Number(process.env.PEER_SECONDS ?? 120)
const INTERVAL_MS = 5000
const DRIFT_MS = 2 * INTERVAL_MS
/** The longest window of a query, and some: before that the answers still depend on the first scrapes. */
const WARM_UP_MS = 40_000
const STOCK_CONFIG = '/etc/prometheus/prometheus.yml'

interface Slack {
  /** In the unit of the values. */
  absolute?: number
  /** Of the value. */
  relative?: number
}

const CONSTANT: readonly string[] = [
  'up',
  'node_uname_info',
  'node_os_info or node_uname_info',
  'node_memory_MemTotal_bytes',
  'node_boot_time_seconds',
  'time() - node_boot_time_seconds',
  'count by (__name__) ({job="node"})',
  'count by (mode) (node_cpu_seconds_total)',
  'count(count by (cpu) (node_cpu_seconds_total))',
  'prometheus_build_info',
  'node_exporter_build_info',
  'node_memory_MemTotal_bytes * on (instance) group_left (release, machine) node_uname_info',
  'sum without (cpu, mode) (node_cpu_seconds_total) > bool 0',
  'avg_over_time(up[30s])',
  'absent(node_nothing{job="node"})',
  'label_replace(node_uname_info, "kernel", "$1", "release", "([0-9]+[.][0-9]+).*")',
  'min_over_time(node_memory_MemTotal_bytes[1m]) / 1024',
  'quantile by (job) (0.5, up)',
  'scrape_samples_scraped{job="node"} - scrape_samples_post_metric_relabeling',
  'scrape_samples_scraped{job="node"}',
  'node_scrape_collector_success == 1',
  'count by (job) (up == 1) unless on (job) absent(up)',
]

const MOVING: readonly (readonly [query: string, slack: Slack])[] = [
  ['node_cpu_seconds_total', {}],
  ['sum by (mode) (node_cpu_seconds_total)', {}],
  ['node_time_seconds', {}],
  ['node_context_switches_total', {}],
  ['prometheus_http_requests_total{job="prometheus",handler="/metrics"}', {}],
  ['process_cpu_seconds_total', {}],
  ['topk(1, sum by (mode) (node_cpu_seconds_total))', {}],
  ['delta(node_time_seconds[30s])', { absolute: 0.5 }],
  ['rate(node_context_switches_total[30s])', { relative: 0.5 }],
  ['sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[30s]))', { absolute: 0.5 }],
  ['100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[30s])))', { absolute: 30 }],
  ['irate(node_cpu_seconds_total{mode="idle"}[20s])', { absolute: 1 }],
  ['node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes', { absolute: 0.05 }],
  ['node_load1', { absolute: 1 }],
  ['max_over_time(node_load1[30s])', { absolute: 1 }],
  ['avg_over_time(node_load1[30s:5s])', { absolute: 1 }],
  ['process_resident_memory_bytes{job="node"}', { relative: 0.3 }],
  ['process_resident_memory_bytes{job="prometheus"} offset 10s', { relative: 0.5 }],
  ['increase(prometheus_tsdb_head_samples_appended_total{job="prometheus"}[30s])', { relative: 0.5 }],
  ['go_gc_duration_seconds{job="node"}', { absolute: 0.05 }],
  [
    'histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket{job="prometheus",handler="/metrics"}[30s])))',
    { absolute: 0.5 },
  ],
]

let exporter: NodeExporter
let peer: PrometheusPeer
let server: RunningNarthex
let ours: ApiClient
let theirs: ApiClient
let startMs = 0
let endMs = 0

beforeAll(
  async () => {
    exporter = await startNodeExporter()
    const [peerPort, ourPort] = [await freePort(), await freePort()]
    const config = [
      'global:',
      '  scrape_interval: 5s',
      '  external_labels:',
      '    monitor: example',
      'scrape_configs:',
      '  # The servers themselves.',
      '  - job_name: prometheus',
      '    static_configs:',
      `      - targets: ['127.0.0.1:${peerPort}']`,
      '  - job_name: narthex',
      '    static_configs:',
      `      - targets: ['127.0.0.1:${ourPort}']`,
      '  - job_name: node',
      '    scrape_timeout: 4s',
      '    static_configs:',
      `      - targets: ['${exporter.address}']`,
      '',
    ].join('\n')
    ;[peer, server] = await Promise.all([
      startPrometheus({ config, port: peerPort }),
      startNarthex({ config, port: ourPort }),
    ])
    ours = new ApiClient(server.url)
    theirs = new ApiClient(peer.url)
    const areUp = async () => {
      const counts = await Promise.all([ours, theirs].map(async (api) => (await api.query('up == 1')).length))
      return counts.every((count) => count === 3)
    }
    const deadline = Date.now() + 30_000
    while (!(await areUp()) && Date.now() < deadline) await sleep(500)
    expect(await areUp(), server.logs()).toBe(true)
    startMs = Math.ceil((Date.now() + WARM_UP_MS) / INTERVAL_MS) * INTERVAL_MS
    endMs = Math.floor((Date.now() + SECONDS * 1000 - DRIFT_MS) / INTERVAL_MS) * INTERVAL_MS
    expect(endMs - startMs, 'PEER_SECONDS is too short').toBeGreaterThan(4 * INTERVAL_MS)
    await sleep(SECONDS * 1000)
  },
  60_000 + SECONDS * 1000,
)

afterAll(async () => {
  await Promise.all([peer?.stop(), server?.stop(), exporter?.stop()])
})

/** By their labels as 3.x has them. */
function sorted(matrix: readonly MatrixSeries[]): MatrixSeries[] {
  const written = matrix.map(({ metric, values }) => ({ metric: asSince3(metric), values }))
  return written.sort((a, b) => (metricKey(a.metric) < metricKey(b.metric) ? -1 : 1))
}

/** Since 3.0 the bounds of histograms and summaries are written as floats: `1.0` where 2.42 keeps the page's `1`. */
function asSince3(metric: Metric): Metric {
  const written = Object.entries(metric).map(([name, value]) => {
    const isBound = name === 'le' || name === 'quantile'
    return [name, isBound && /^\d+$/.test(value) ? `${value}.0` : value]
  })
  return Object.fromEntries(written)
}

const labelsOf = (matrix: readonly MatrixSeries[]) => matrix.map(({ metric }) => metricKey(metric))

describe('constants are the same', () => {
  it.each(CONSTANT)('%s', async (query) => {
    const [own, other] = await Promise.all(
      [ours, theirs].map(async (api) => sorted(await api.queryRange(query, startMs, endMs, INTERVAL_MS))),
    )
    expect(own.length, query).toBeGreaterThan(0)
    expect(labelsOf(own), query).toEqual(labelsOf(other))
    expect(own, query).toEqual(other)
  })
})

describe('what moves agrees within the drift of two scrapes', () => {
  it.each(MOVING)('%s', async (query, slack) => {
    const own = sorted(await ours.queryRange(query, startMs, endMs, INTERVAL_MS))
    const other = sorted(await theirs.queryRange(query, startMs - DRIFT_MS, endMs + DRIFT_MS, INTERVAL_MS))
    expect(own.length, query).toBeGreaterThan(0)
    expect(labelsOf(own), query).toEqual(labelsOf(other))
    const faults = own.flatMap((series, i) => outsideOf(series, other[i], slack))
    expect(faults, query).toEqual([])
  })
})

/** Points of ours that are missing, superfluous, or not explained by what the other server saw around them. */
function outsideOf(own: MatrixSeries, other: MatrixSeries, slack: Slack): string[] {
  const where = metricKey(own.metric)
  const theirValues = new Map(other.values.map(([t, v]) => [t * 1000, Number(v)]))
  const ourValues = new Map(own.values.map(([t, v]) => [t * 1000, Number(v)]))
  const faults: string[] = []
  for (let t = startMs; t <= endMs; t += INTERVAL_MS) {
    const value = ourValues.get(t)
    if (value === undefined || !theirValues.has(t)) {
      if (value !== theirValues.get(t)) faults.push(`${where} at ${t}: ${value}, ${theirValues.get(t)}`)
      continue
    }
    const around: number[] = []
    for (let at = t - DRIFT_MS; at <= t + DRIFT_MS; at += INTERVAL_MS)
      around.push(theirValues.get(at) ?? Number.NaN)
    const known = around.filter((v) => !Number.isNaN(v))
    if (Number.isNaN(value) && known.length < around.length) continue
    const [low, high] = [Math.min(...known), Math.max(...known)]
    const margin = (slack.absolute ?? 0) + (slack.relative ?? 0) * Math.max(Math.abs(low), Math.abs(high))
    if (!(value >= low - margin && value <= high + margin)) {
      faults.push(`${where} at ${t}: ${value}, not in [${low}, ${high}] ± ${margin}`)
    }
  }
  return faults
}

describe('labels are the same', () => {
  it('in every series of the exporter, and in their names and values', async () => {
    const [own, other] = await Promise.all(
      [ours, theirs].map(async (api) =>
        (await api.series(['{job="node"}'])).map((metric) => metricKey(asSince3(metric))).sort(),
      ),
    )
    expect(own.length).toBeGreaterThan(200)
    expect(own).toEqual(other)
    expect(await ours.labels(['{job="node"}'])).toEqual(await theirs.labels(['{job="node"}']))
    expect(await ours.labelValues('mode')).toEqual(await theirs.labelValues('mode'))
    expect(await ours.labelValues('job')).toEqual(['narthex', 'node', 'prometheus'])
  })

  it('in what is said of a metric', async () => {
    const path = '/metadata'
    for (const metric of ['node_cpu_seconds_total', 'node_load1', 'go_gc_duration_seconds', 'go_info']) {
      const [own, other] = await Promise.all(
        [ours, theirs].map((api) =>
          api.data<Record<string, { type: string; help: string }[]>>(path, { metric }),
        ),
      )
      expect(own, metric).toEqual(other)
    }
  })

  it('in the targets', async () => {
    const [own, other] = await Promise.all(
      [ours, theirs].map(async (api) => {
        const targets = await api.activeTargets()
        return targets
          .map(({ labels, scrapePool, scrapeUrl, health, lastError }) =>
            JSON.stringify({ labels, scrapePool, scrapeUrl, health, lastError }),
          )
          .sort()
      }),
    )
    expect(own).toEqual(other)
  })
})

describe("Debian's own configuration", () => {
  it('is refused for what is not built yet, and starts when told to skip that', async () => {
    const folder = temporaryFolder('narthex-stock-')
    const flags = [
      `--config.file=${STOCK_CONFIG}`,
      '--web.listen-address=127.0.0.1:0',
      `--storage.tsdb.path=${folder}/data`,
    ]
    const refused = await runNarthex(flags, folder)
    expect(refused.code, refused.stderr).toBe(2)
    expect(refused.stderr).toMatch(/prometheus\.yml:\d+:\d+: .*alerting/)

    const stock = await startNarthex({ args: [`--config.file=${STOCK_CONFIG}`, '--config.skip-unsupported'] })
    await waitUntilReady(stock)
    const api = new ApiClient(stock.url)
    expect(await api.ownMetric('narthex_config_unsupported_section{section="alerting"}')).toBe(1)
    const targets = await api.activeTargets()
    expect(targets.map(({ scrapeUrl }) => scrapeUrl).sort()).toEqual([
      'http://localhost:9090/metrics',
      'http://localhost:9100/metrics',
    ])
    expect(await stock.stop()).toBe(0)
    const warnings = stock
      .logs()
      .split('\n')
      .filter((line) => /level=WARN.*alerting/.test(line))
    expect(warnings).toHaveLength(1)
  })
})
