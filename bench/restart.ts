/**
 * How long after `kill -9` a server is back: ready, with the answers of before, and scraping.
 *
 *   npm run bench -- restart [--targets 100] [--series 2000] [--scrapes 120] [--interval 1] [--uncut]
 *                            [--servers narthex,prometheus,victoriametrics]
 *
 * 120 scrapes are what 30 minutes at 15 s bring; they come a second apart here, and the time between cuts of ours, ten
 * minutes in use, is shorter by as much. With --uncut all samples are in ours' log, too, as they are in Prometheus',
 * which cuts after two hours. Files are in the system's cache for all. Answers are compared at a time before the kill;
 * the count of all samples, which takes long to ask, after the clock stopped.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Figure, printFigures } from './figures.ts'
import { diskBytes } from './proc.ts'
import { CUT_SPAN_FLAG, type Scraped, underScrapes, untilServed } from './scraped.ts'
import {
  hasFlag,
  queryApi,
  queryNumber,
  SERVERS,
  type Server,
  type ServerName,
  serverNames,
  untilReady,
} from './server.ts'

const CLASSES = 10
/** In use. */
const CUT_SPAN_MS = 600_000
const USUAL_INTERVAL_MS = 15_000
const POLL_MS = 10
const ANSWERED_WITHIN_MS = 120_000
const FIRST_SCRAPE_SECONDS_MAX = 2
const NAMES = '{__name__=~"bench_app_.+"}'
/** Asked again and again until the answers are those of before. */
const QUICK_QUERIES = [`count(${NAMES})`, 'sum(bench_app_0_requests_total)']
/** The time asked for lies so far before the kill, that VictoriaMetrics shows its samples too. */
const SETTLED_MS = 5000

interface Back {
  readySeconds: number
  answersSeconds: number
  scrapeSeconds: number
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      targets: { type: 'string', default: '100' },
      series: { type: 'string', default: '2000' },
      scrapes: { type: 'string', default: '120' },
      interval: { type: 'string', default: '1' },
      uncut: { type: 'boolean', default: false },
      servers: { type: 'string', default: SERVERS.join() },
    },
  })
  const [targets, series, scrapes] = [values.targets, values.series, values.scrapes].map(Number)
  const intervalMs = Number(values.interval) * 1000
  const cutSpanMs = (CUT_SPAN_MS * intervalMs) / USUAL_INTERVAL_MS
  const flags = values.uncut || !hasFlag(CUT_SPAN_FLAG) ? [] : [`--${CUT_SPAN_FLAG}=${cutSpanMs}ms`]
  const back: Partial<Record<ServerName, Back>> = {}
  for (const name of serverNames(values.servers)) {
    const pages = { targets, series, classes: CLASSES, intervalMs, isMoving: true }
    back[name] = await underScrapes(name, pages, name === 'narthex' ? flags : [], (scraped) =>
      killAndReturn(scraped, scrapes, intervalMs),
    )
  }
  const each = (of: (one: Back) => number) => {
    const entries = Object.entries(back).map(([name, one]) => [name, of(one)] as const)
    return Object.fromEntries(entries) as Figure['of']
  }
  printFigures(
    `kill -9 with ${targets * series} series × ${scrapes} samples (${values.uncut ? 'all in the log' : 'cut as in use'}), seconds after the start`,
    [
      {
        what: 'ready',
        of: each((one) => one.readySeconds),
        digits: 2,
        goals: [{ against: 'prometheus', max: 0.33 }],
      },
      { what: 'answers as before', of: each((one) => one.answersSeconds), digits: 2 },
      {
        what: 'first scrape',
        of: each((one) => one.scrapeSeconds),
        digits: 2,
        goals: [{ against: 'absolute', max: FIRST_SCRAPE_SECONDS_MAX }],
      },
    ],
  )
}

async function killAndReturn(scraped: Scraped, scrapes: number, intervalMs: number): Promise<Back> {
  const { exporter, targets } = scraped
  await untilServed(exporter, scrapes * targets, 3 * scrapes * intervalMs + 60_000)
  const atSeconds = Math.floor(Date.now() / 1000)
  await sleep(SETTLED_MS)
  const before = await answers(scraped.server, QUICK_QUERIES, atSeconds)
  const allBefore = await countSamples(scraped.server, atSeconds)
  await scraped.server.child.kill()
  console.log(
    `${scraped.server.name}: ${allBefore} samples, ${(diskBytes(scraped.server.dataPath) / 2 ** 20).toFixed(0)} MiB`,
  )
  await exporter.forgetFirst()
  const server = await scraped.restart()
  const since = (ms: number) => (ms - server.child.startedAtMs) / 1000
  await untilReady(server)
  const readySeconds = since(Date.now())
  await untilAnswers(server, before, atSeconds)
  const answersSeconds = since(Date.now())
  const allAfter = await countSamples(server, atSeconds)
  if (allAfter !== allBefore) throw new Error(`${server.name}: ${allAfter} samples of ${allBefore} are left`)
  return { readySeconds, answersSeconds, scrapeSeconds: since(await firstScrape(scraped)) }
}

function answers(server: Server, queries: readonly string[], atSeconds: number): Promise<number[]> {
  return Promise.all(queries.map((query) => queryNumber(server, query, atSeconds)))
}

/** Samples of all series up to a time; metric by metric, since a count loses the metric's name. */
async function countSamples(server: Server, atSeconds: number): Promise<number> {
  const range = { start: String(atSeconds - 7200), end: String(atSeconds) }
  const names = await queryApi<string[]>(server, 'label/__name__/values', { 'match[]': NAMES, ...range })
  let count = 0
  for (const name of names) count += await queryNumber(server, `sum(count_over_time(${name}[2h]))`, atSeconds)
  return count
}

async function untilAnswers(server: Server, wanted: readonly number[], atSeconds: number): Promise<void> {
  const deadline = Date.now() + ANSWERED_WITHIN_MS
  let found: number[] = []
  while (Date.now() < deadline) {
    found = await answers(server, QUICK_QUERIES, atSeconds)
    if (found.every((value, i) => value === wanted[i])) return
    await sleep(POLL_MS)
  }
  throw new Error(`${server.name} answers ${found} after the start and not ${wanted}`)
}

async function firstScrape({ exporter }: Scraped): Promise<number> {
  const deadline = Date.now() + ANSWERED_WITHIN_MS
  while (Date.now() < deadline) {
    const { firstAtMs } = await exporter.served()
    if (firstAtMs > 0) return firstAtMs
    await sleep(POLL_MS)
  }
  throw new Error('the server does not scrape after its start')
}
