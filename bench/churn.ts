/**
 * What it costs when all series are replaced again and again: peak memory against that of a set of series that stays.
 *
 *   npm run bench -- churn [--series 20000] [--generations 10] [--speed 30] [--servers narthex,prometheus,…]
 *
 * Meant is: scraped every 15 s, and every 6 minutes all series are replaced by others. To take minutes and not an hour,
 * time runs `--speed` times as fast in all that depends on it: the scrape interval, the life of a series, and the span
 * between cuts of our head (30 minutes). The peers have nothing to scale within this hour: their blocks begin later.
 * Each server runs twice, for the same time: with series that are replaced, and with series that stay. In the end every
 * series that ever was must answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Figure, printFigures } from './figures.ts'
import { MemoryWatch } from './proc.ts'
import { CUT_SPAN_FLAG, type Scraped, underScrapes } from './scraped.ts'
import { hasFlag, queryNumber, SERVERS, type ServerName, serverNames } from './server.ts'

const PAGE_SERIES = 1000
const INTERVAL_MS = 15_000
const LIFE_MS = 360_000
const CUT_SPAN_MS = 1_800_000
const PEAK_MAX = 1.3
/** The last scrapes, and VictoriaMetrics' index, become visible within this. */
const VISIBLE_MS = 6000

interface Size {
  series: number
  generations: number
  speed: number
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      series: { type: 'string', default: '20000' },
      generations: { type: 'string', default: '10' },
      speed: { type: 'string', default: '30' },
      servers: { type: 'string', default: SERVERS.join() },
    },
  })
  const size: Size = {
    series: Number(values.series),
    generations: Number(values.generations),
    speed: Number(values.speed),
  }
  const names = serverNames(values.servers)
  const canScale = hasFlag(CUT_SPAN_FLAG)
  if (!canScale) console.log(`--${CUT_SPAN_FLAG} is not there: the span between cuts of ours is not scaled`)
  const flags = canScale ? [`--${CUT_SPAN_FLAG}=${Math.round(CUT_SPAN_MS / size.speed)}ms`] : []
  const staying: Figure['of'] = {}
  const replaced: Figure['of'] = {}
  const ratio: Figure['of'] = {}
  for (const name of names) {
    const own = name === 'narthex' ? flags : []
    staying[name] = (await peakBytes(name, size, own, false)) / 2 ** 20
    replaced[name] = (await peakBytes(name, size, own, true)) / 2 ** 20
    ratio[name] = replaced[name] / staying[name]
  }
  const { series, generations, speed } = size
  printFigures(`${series} series, replaced ${generations - 1} times, ${speed} times as fast as in earnest`, [
    { what: 'peak with series that stay, MiB', of: staying, digits: 0 },
    { what: 'peak with series replaced, MiB', of: replaced, digits: 0 },
    {
      what: 'the second by the first',
      of: ratio,
      digits: 2,
      hasRatios: false,
      goals: [{ against: 'absolute', max: PEAK_MAX }],
    },
  ])
}

function peakBytes(
  name: ServerName,
  { series, generations, speed }: Size,
  flags: readonly string[],
  isReplacing: boolean,
): Promise<number> {
  const targets = Math.ceil(series / PAGE_SERIES)
  const pages = {
    targets,
    series: Math.min(series, PAGE_SERIES),
    classes: targets,
    intervalMs: INTERVAL_MS / speed,
    isMoving: true,
  }
  return underScrapes(name, pages, flags, async (scraped) => {
    const watch = new MemoryWatch(scraped.server.child.pid, 100)
    for (let generation = 0; generation < generations; generation++) {
      if (generation > 0 && isReplacing) await scraped.exporter.replaceAll()
      await sleep(LIFE_MS / speed)
    }
    watch.stop()
    await checkSeries(scraped, isReplacing ? generations : 1)
    return watch.peakBytes
  })
}

/** Throws unless all series of all generations answer. */
async function checkSeries({ server, exporter, targets }: Scraped, generations: number): Promise<void> {
  await sleep(VISIBLE_MS)
  const { pageSeries } = await exporter.served()
  const query = 'count(last_over_time({__name__=~"bench_app_.+"}[2h]))'
  const found = await queryNumber(server, query, Date.now() / 1000)
  const expected = generations * targets * pageSeries
  console.log(`${server.name}: ${found} of ${expected} series answer`)
  if (found !== expected) throw new Error(`${server.name} has lost series`)
}
