/**
 * Queries of all kinds, one after the other and from eight clients at once.
 *
 *   npm run bench -- query [--data 6h,24h,kube] [--runs 5] [--clients 8] [--keep FOLDER] [--only PART-OF-A-QUERY]
 *                          [--servers narthex,prometheus,victoriametrics] [--pages FOLDER] [--queries FILE]
 *
 * 6h: 20,000 mixed series, 24h: 5,000, both at 15 s, put in by each server's bulk way (bulk.ts). Answers are compared with
 * Prometheus' before times count: labels, points, values to 1e-9; windows of 2.42 are closed on the left, so steps lie where
 * no sample does. VictoriaMetrics answers by other rules and is only timed. kube: recorded pages and the expressions
 * of kube-prometheus (kube-queries.ts). topk of equal values may choose others. With `--keep` the data stay in the folder
 * for the next run.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { prng } from '../test/harness/prng.ts'
import { Client, difference, seriesCount } from './answers.ts'
import { BLOCK_HOURS, bulkLoad } from './bulk.ts'
import { removeFolder, temporaryFolder } from './children.ts'
import { type DataSpec, makeDataSet } from './data-set.ts'
import { type Figure, printFigures } from './figures.ts'
import { runKubeQueries } from './kube-queries.ts'
import { cpuSeconds, MemoryWatch, memory } from './proc.ts'
import { type MixedQuery, queryMix } from './query-mix.ts'
import { SERVERS, type Server, type ServerName, serverNames, start, untilReady } from './server.ts'

const INTERVAL_MS = 15_000
const HOUR_MS = 3_600_000
/** No target of the data has a sample at this place in the interval. */
const OFF_SAMPLES_MS = 1
const ROUNDS_AT_ONCE = 1
const WARM_UP_ROUNDS = 2
const SERIES: Record<string, { series: number; hours: number }> = {
  '6h': { series: 20_000, hours: 6 },
  '24h': { series: 5000, hours: 24 },
}
const SHARED = resolve(import.meta.dirname, '../../shared/data/exposition')

interface Options {
  runs: number
  clients: number
  keep: string | undefined
  only: string
  servers: readonly ServerName[]
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'string', default: '6h,24h,kube' },
      runs: { type: 'string', default: '5' },
      clients: { type: 'string', default: '8' },
      keep: { type: 'string' },
      only: { type: 'string', default: '' },
      servers: { type: 'string', default: SERVERS.join() },
      pages: { type: 'string', default: SHARED },
      queries: { type: 'string', default: join(SHARED, 'promql-kube-prometheus.json') },
    },
  })
  const options: Options = {
    runs: Number(values.runs),
    clients: Number(values.clients),
    keep: values.keep,
    only: values.only,
    servers: serverNames(values.servers),
  }
  for (const name of values.data.split(',')) {
    if (name === 'kube') await runKubeQueries(values.pages, values.queries, options.servers)
    else if (name in SERIES) await runMix(name, options)
    else throw new RangeError(`no such data: ${name}`)
  }
}

/** What one server did. */
interface Run {
  /** Median of each query, ms. */
  medians: number[]
  bodies: string[]
  queriesASecond: number
  cpuSeconds: number
  /** Memory that the queries took beyond that before them. */
  growthMib: number
}

async function runMix(name: string, options: Options): Promise<void> {
  const { series, hours } = SERIES[name]
  const spec = specFor(series, hours, options.keep)
  const mix = queryMix(hours).filter(({ query }) => query.includes(options.only))
  const endMs = spec.firstMs + hours * HOUR_MS - INTERVAL_MS + OFF_SAMPLES_MS
  const runs: Partial<Record<ServerName, Run>> = {}
  for (const server of options.servers) {
    const folder = join(options.keep ?? temporaryFolder(), `${name}-${server}`)
    try {
      if (!existsSync(join(folder, 'loaded'))) {
        mkdirSync(folder, { recursive: true })
        await bulkLoad(server, folder, spec, makeDataSet(spec))
        writeFileSync(join(folder, 'loaded'), JSON.stringify(spec))
      }
      runs[server] = await runServer(server, folder, mix, endMs, options)
    } finally {
      if (options.keep === undefined) removeFolder(folder)
    }
  }
  report(`${series} series × ${hours} h`, mix, runs)
}

/** The data begin at a multiple of a block; kept data say themselves where. */
function specFor(series: number, hours: number, keep: string | undefined): DataSpec {
  const blockMs = BLOCK_HOURS * HOUR_MS
  const firstMs = (Math.floor(Date.now() / blockMs) - Math.ceil(hours / BLOCK_HOURS)) * blockMs
  const fresh: DataSpec = {
    kind: 'mixed',
    pages: '',
    series,
    firstMs,
    intervalMs: INTERVAL_MS,
    steps: (hours * HOUR_MS) / INTERVAL_MS,
  }
  if (keep === undefined || !existsSync(keep)) return fresh
  for (const folder of readdirSync(keep)) {
    const path = join(keep, folder, 'loaded')
    if (!existsSync(path)) continue
    const kept = JSON.parse(readFileSync(path, 'utf8')) as DataSpec
    if (kept.series === series && kept.steps === fresh.steps) return kept
  }
  return fresh
}

const EXTRA: Record<ServerName, string[]> = {
  narthex: ['--storage.tsdb.retention.time=1y'],
  prometheus: ['--storage.tsdb.retention.time=1y'],
  victoriametrics: [
    '-retentionPeriod=1y',
    '-search.maxUniqueTimeseries=1000000',
    '-search.maxQueryDuration=120s',
  ],
}

async function runServer(
  name: ServerName,
  folder: string,
  mix: readonly MixedQuery[],
  endMs: number,
  { runs, clients }: Options,
): Promise<Run> {
  const server = await start(name, folder, 'scrape_configs: []\n', EXTRA[name])
  try {
    await untilReady(server)
    const idleBytes = memory(server.child.pid).ownBytes
    const watch = new MemoryWatch(server.child.pid, 10)
    const cpuBefore = cpuSeconds(server.child.pid)
    const { medians, bodies } = await alone(server, mix, endMs, runs)
    const cpu = cpuSeconds(server.child.pid) - cpuBefore
    const queriesASecond = await atOnce(server, mix, endMs, clients)
    watch.stop()
    const growthMib = (watch.peakBytes - idleBytes) / 2 ** 20
    return { medians, bodies, queriesASecond, cpuSeconds: cpu / (runs + WARM_UP_ROUNDS), growthMib }
  } finally {
    await server.child.stop()
  }
}

function parametersOf(
  { query, hours, stepSeconds }: MixedQuery,
  endMs: number,
): [string, Record<string, string>] {
  if (hours === 0) return ['query', { query, time: String(endMs / 1000) }]
  const span = { start: String((endMs - hours * HOUR_MS) / 1000), end: String(endMs / 1000) }
  return ['query_range', { query, ...span, step: String(stepSeconds) }]
}

/** All of the mix to warm up, then `runs` times, one query after the other as dashboards ask. */
async function alone(server: Server, mix: readonly MixedQuery[], endMs: number, runs: number) {
  const client = new Client(server.url)
  const times = mix.map((): number[] => [])
  const bodies: string[] = []
  for (let round = -WARM_UP_ROUNDS; round < runs; round++) {
    for (const [i, query] of mix.entries()) {
      const [path, parameters] = parametersOf(query, endMs)
      const { ms, body } = await client.ask(path, parameters)
      bodies[i] = body
      if (round >= 0) times[i].push(ms)
    }
  }
  client.close()
  return { medians: times.map((list) => list.sort((a, b) => a - b)[runs >> 1]), bodies }
}

/** Queries a second when every client asks all of the mix, each in an order of its own. */
async function atOnce(
  server: Server,
  mix: readonly MixedQuery[],
  endMs: number,
  count: number,
): Promise<number> {
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const random = prng(n + 1)
      const client = new Client(server.url)
      for (let round = 0; round < ROUNDS_AT_ONCE; round++) {
        const order = mix.map((query) => ({ query, at: random.next() })).sort((a, b) => a.at - b.at)
        for (const { query } of order) {
          const [path, parameters] = parametersOf(query, endMs)
          await client.ask(path, parameters)
        }
      }
      client.close()
    }),
  )
  return (count * ROUNDS_AT_ONCE * mix.length) / ((performance.now() - startedAt) / 1000)
}

function report(title: string, mix: readonly MixedQuery[], runs: Partial<Record<ServerName, Run>>): void {
  const { narthex, prometheus } = runs
  const names = Object.keys(runs) as ServerName[]
  if (narthex !== undefined && prometheus !== undefined) {
    let differences = 0
    for (const [i, { query }] of mix.entries()) {
      const text = difference(narthex.bodies[i], prometheus.bodies[i])
      if (text === undefined) continue
      differences++
      console.log(`ANSWERS DIFFER: ${query}: ${text}`)
    }
    console.log(`${mix.length - differences} of ${mix.length} answers are the same`)
  }
  const each = mix.map(({ query }, i): Figure => {
    const series = narthex === undefined ? '' : `, ${seriesCount(narthex.bodies[i])} series`
    return {
      what: `${query.slice(0, 90)}${series}`,
      of: pick(names, runs, (run) => run.medians[i]),
      digits: 1,
    }
  })
  printFigures(`${title}: each query, ms`, each)
  const classes = [...new Set(mix.map((query) => query.class))]
  const figures = classes.map((name): Figure => {
    return {
      what: name,
      of: pick(names, runs, ({ medians }) => geometricMean(medians.filter((_, i) => mix[i].class === name))),
      digits: 1,
    }
  })
  printFigures(`${title}: geometric mean by class, ms`, figures)
  printFigures(`${title}: whole`, [
    {
      what: 'geometric mean, ms',
      of: pick(names, runs, ({ medians }) => geometricMean(medians)),
      digits: 2,
      goals: [
        { against: 'prometheus', max: 1 / 8 },
        { against: 'victoriametrics', max: 1 / 2 },
      ],
    },
    {
      what: 'slowest beside Prometheus (ours / its)',
      of: worst(narthex, prometheus),
      digits: 2,
      hasRatios: false,
      goals: [{ against: 'absolute', max: 1 }],
    },
    {
      what: 'ms a query, clients at once',
      of: pick(names, runs, (run) => 1000 / run.queriesASecond),
      digits: 2,
      goals: [{ against: 'prometheus', max: 1 / 5 }],
    },
    {
      what: 'CPU-s of the mix',
      of: pick(names, runs, (run) => run.cpuSeconds),
      digits: 2,
      goals: [{ against: 'prometheus', max: 0.2 }],
    },
    {
      what: 'memory growth at the peak, MiB',
      of: pick(names, runs, (run) => run.growthMib),
      digits: 0,
      goals: [{ against: 'prometheus', max: 0.5 }],
    },
  ])
}

function pick(
  names: readonly ServerName[],
  runs: Partial<Record<ServerName, Run>>,
  of: (run: Run) => number,
): Figure['of'] {
  return Object.fromEntries(names.map((name) => [name, of(runs[name]!)]))
}

function worst(narthex: Run | undefined, prometheus: Run | undefined): Figure['of'] {
  if (narthex === undefined || prometheus === undefined) return {}
  return { narthex: Math.max(...narthex.medians.map((ms, i) => ms / prometheus.medians[i])) }
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
