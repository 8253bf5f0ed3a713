/**
 * How long label values with a matcher take over HTTP, as a dashboard's variables ask for them.
 *
 *   npm run bench -- labels [--targets 500] [--series 1000] [--requests 100]
 *                           [--servers narthex,prometheus,victoriametrics]
 *
 * Every target has pods of its own, and goes on being scraped every 10 s. Answers of the servers must be the same.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Figure, printFigures } from './figures.ts'
import { checkArrival, underScrapes } from './scraped.ts'
import { queryApi, SERVERS, type Server, serverNames } from './server.ts'

const INTERVAL_MS = 10_000
const WARM_UP_REQUESTS = 5
const P95_MS_MAX = 50
/** VictoriaMetrics' index shows new series after some seconds. */
const VISIBLE_MS = 6000

const REQUESTS = [
  { label: 'instance', match: 'up' },
  { label: 'handler', match: '{namespace="team-3"}' },
  { label: 'pod', match: 'bench_app_2_limit' },
  // A family in which each series is of a pod of its own.
  { label: 'pod', match: 'bench_app_0_requests_total' },
  { label: 'pod', match: '{node=~"node-1.*"}' },
]

interface Timed {
  /** Milliseconds, ascending. */
  times: number[]
  count: number
  digest: string
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      targets: { type: 'string', default: '500' },
      series: { type: 'string', default: '1000' },
      requests: { type: 'string', default: '100' },
      servers: { type: 'string', default: SERVERS.join() },
    },
  })
  const [targets, series, requests] = [values.targets, values.series, values.requests].map(Number)
  const timed = REQUESTS.map((): Record<string, Timed> => ({}))
  for (const name of serverNames(values.servers)) {
    const pages = { targets, series, classes: targets, intervalMs: INTERVAL_MS, isMoving: false }
    await underScrapes(name, pages, [], async (scraped) => {
      await sleep(VISIBLE_MS)
      await checkArrival(scraped)
      for (let i = 0; i < REQUESTS.length; i++) timed[i][name] = await ask(scraped.server, i, requests)
    })
  }
  const figures = REQUESTS.flatMap((request, i): Figure[] => {
    const what = `${request.label} of ${request.match}: ${Object.values(timed[i])[0].count} values`
    checkSame(what, timed[i])
    return [
      { what: `${what}, p50 ms`, of: quantiles(timed[i], 0.5), digits: 1 },
      {
        what: '  p95 ms',
        of: quantiles(timed[i], 0.95),
        digits: 1,
        goals: [{ against: 'absolute', max: P95_MS_MAX }],
      },
    ]
  })
  printFigures(`${targets * series} series, label values, ${requests} requests each, one at a time`, figures)
}

async function ask(server: Server, request: number, requests: number): Promise<Timed> {
  const { label, match } = REQUESTS[request]
  const end = Math.ceil(Date.now() / 1000)
  const parameters = { 'match[]': match, start: String(end - 3600), end: String(end) }
  const times: number[] = []
  let found: string[] = []
  for (let i = -WARM_UP_REQUESTS; i < requests; i++) {
    const startedAt = performance.now()
    found = await queryApi<string[]>(server, `label/${label}/values`, parameters)
    if (i >= 0) times.push(performance.now() - startedAt)
  }
  times.sort((a, b) => a - b)
  const digest = createHash('sha256').update(found.toSorted().join('\n')).digest('hex')
  return { times, count: found.length, digest }
}

function checkSame(what: string, timed: Record<string, Timed>): void {
  const digests = new Set(Object.values(timed).map(({ digest }) => digest))
  if (digests.size <= 1) return
  const counts = Object.entries(timed).map(([name, { count }]) => `${name} ${count}`)
  throw new Error(`${what}: answers differ (${counts.join(', ')})`)
}

function quantiles(timed: Record<string, Timed>, q: number): Figure['of'] {
  const entries = Object.entries(timed).map(([name, { times }]) => {
    return [name, times[Math.min(times.length - 1, Math.floor(q * times.length))]]
  })
  return Object.fromEntries(entries) as Figure['of']
}
