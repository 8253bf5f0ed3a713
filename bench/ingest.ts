/**
 * What it costs to scrape: CPU a sample, memory a series, bytes written, and how late scrapes begin.
 *
 *   npm run bench -- ingest [--big | --both] [--targets 100] [--series 2000] [--interval 5] [--seconds 120]
 *                           [--cut-span SECONDS] [--queries] [--identity] [--servers narthex,prometheus,victoriametrics]
 *
 * The servers run one after the other under the same exporter (exporter.ts), each with both cores, from an empty
 * folder, with gzip unless `--identity` is said; counting begins after a warm-up of two intervals. `--big` is 500 × 1,000 every 10 s, `--both` runs the
 * two sizes and prints the slope of memory between them. Ours runs once more with a short span between cuts (a quarter
 * of the time unless said; half an hour in earnest), for memory and lateness while generations are cut, written and
 * merged; `--queries` adds a run in which two heavy queries are kept going meanwhile, for lateness. CPU is of the first
 * run, in which none of the servers writes a block yet; `--seconds 7200` is long enough for all of them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Figure, printFigures } from './figures.ts'
import { type Lateness, latenessBetween, latenessOf, latenessText, quantileBound } from './lateness.ts'
import { cpuSeconds, type Memory, MemoryWatch, writtenBytes } from './proc.ts'
import { CUT_SPAN_FLAG, checkArrival, underScrapes } from './scraped.ts'
import {
  appendedSamples,
  hasFlag,
  ownMetrics,
  queryApi,
  SERVERS,
  type Server,
  type ServerName,
  serverNames,
} from './server.ts'

const CLASSES = 10
const LATENESS_MAX_MS = 20
/** From here on a goal against VictoriaMetrics counts. */
const BIG_SERIES = 500_000

interface Size {
  targets: number
  series: number
  intervalMs: number
  seconds: number
  /** Whether pages are not compressed. */
  isPlain: boolean
}

interface RunOptions {
  /** Of ours; 0: as it is by default. */
  cutSpanSeconds: number
  hasQueries: boolean
}

interface Measured {
  samples: number
  cpuSeconds: number
  writtenBytes: number
  memory: Memory
  peakBytes: number
  /** Of ours alone. */
  lateness?: Lateness
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      targets: { type: 'string', default: '100' },
      series: { type: 'string', default: '2000' },
      interval: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '120' },
      'cut-span': { type: 'string' },
      servers: { type: 'string', default: SERVERS.join() },
      big: { type: 'boolean', default: false },
      both: { type: 'boolean', default: false },
      queries: { type: 'boolean', default: false },
      identity: { type: 'boolean', default: false },
    },
  })
  const seconds = Number(values.seconds)
  const asked: Size = {
    targets: Number(values.targets),
    series: Number(values.series),
    intervalMs: Number(values.interval) * 1000,
    seconds,
    isPlain: values.identity,
  }
  const big: Size = { ...asked, targets: 500, series: 1000, intervalMs: 10_000 }
  const sizes = values.both ? [asked, big] : [values.big ? big : asked]
  const names = serverNames(values.servers)
  const cutSpanSeconds = Number(values['cut-span'] ?? Math.ceil(seconds / 4))
  const all: Partial<Record<ServerName, Measured>>[] = []
  for (const size of sizes) {
    all.push(await measureSize(size, names, { cutSpanSeconds, hasQueries: values.queries }))
  }
  if (all.length === 2) printSlope(sizes, all)
}

/** Runs and prints one size. Answers what memory is to be judged by: ours with cuts where that ran. */
async function measureSize(
  size: Size,
  names: readonly ServerName[],
  withCuts: RunOptions,
): Promise<Partial<Record<ServerName, Measured>>> {
  const measured: Partial<Record<ServerName, Measured>> = {}
  for (const name of names) {
    measured[name] = await measure(name, size, { cutSpanSeconds: 0, hasQueries: false })
  }
  const canCut = names.includes('narthex') && hasFlag(CUT_SPAN_FLAG)
  if (names.includes('narthex') && !canCut)
    console.log(`--${CUT_SPAN_FLAG} is not there: nothing of ours is cut`)
  const cutSpanSeconds = canCut ? withCuts.cutSpanSeconds : 0
  const cutting = canCut ? await measure('narthex', size, { cutSpanSeconds, hasQueries: false }) : undefined
  const strained =
    names.includes('narthex') && withCuts.hasQueries
      ? await measure('narthex', size, { cutSpanSeconds, hasQueries: true })
      : undefined
  const title = `${size.targets} targets × ${size.series} series every ${size.intervalMs / 1000} s, ${size.seconds} s`
  printFigures(title, [...figuresOf(size, measured, cutting), ...cuttingFigures(size, measured, cutting)])
  printLateness('ours', measured.narthex)
  printLateness('ours with cuts', cutting)
  printLateness(`ours with ${canCut ? 'cuts and ' : ''}queries`, strained)
  return { ...measured, ...(cutting === undefined ? {} : { narthex: cutting }) }
}

function printLateness(what: string, one: Measured | undefined): void {
  if (one?.lateness === undefined) return
  const isReached = quantileBound(one.lateness, 0.99) * 1000 <= LATENESS_MAX_MS
  const verdict = `p99 <= ${LATENESS_MAX_MS} ms: ${isReached ? 'reached' : 'missed'}`
  console.log(`start lateness, ${what}: ${latenessText(one.lateness)}; goal ${verdict}`)
}

const MEMORY_GOALS = [
  { against: 'prometheus', max: 0.35 },
  { against: 'victoriametrics', max: 1 },
] as const

const cpuOf = (one: Measured) => (one.cpuSeconds / one.samples) * 1e6
const writtenOf = (one: Measured) => one.writtenBytes / one.samples

function each(measured: Partial<Record<ServerName, Measured>>, of: (one: Measured) => number): Figure['of'] {
  const entries = Object.entries(measured).map(([name, one]) => [name, of(one)] as const)
  return Object.fromEntries(entries) as Figure['of']
}

function figuresOf(
  size: Size,
  measured: Partial<Record<ServerName, Measured>>,
  cutting: Measured | undefined,
): Figure[] {
  const series = size.targets * size.series
  const cpuGoals = [
    { against: 'prometheus', max: 0.33 },
    ...(series >= BIG_SERIES ? [{ against: 'victoriametrics', max: 0.7 } as const] : []),
  ] as const
  const ownBytes = (one: Measured) => one.memory.ownBytes / series
  return [
    { what: 'CPU-s a million samples', of: each(measured, cpuOf), digits: 2, goals: cpuGoals },
    {
      what: 'memory, B a series',
      of: each(measured, ownBytes),
      digits: 0,
      goals: cutting ? [] : MEMORY_GOALS,
    },
    { what: 'its peak', of: each(measured, (one) => one.peakBytes / series), digits: 0 },
    {
      what: 'pages of files, B a series',
      of: each(measured, (one) => one.memory.fileBytes / series),
      digits: 0,
    },
    { what: 'written to disk, B a sample', of: each(measured, writtenOf), digits: 2 },
  ]
}

/**
 * Ours with cuts beside the peers as they are. Cuts come so much closer than in earnest that CPU and bytes written say
 * what the cuts cost, and nothing beside the peers'.
 */
function cuttingFigures(
  size: Size,
  measured: Partial<Record<ServerName, Measured>>,
  cutting: Measured | undefined,
): Figure[] {
  if (cutting === undefined) return []
  const series = size.targets * size.series
  const all = { ...measured, narthex: cutting }
  const ownBytes = (one: Measured) => one.memory.ownBytes / series
  return [
    { what: 'ours with cuts: memory, B a series', of: each(all, ownBytes), digits: 0, goals: MEMORY_GOALS },
    { what: '  its peak', of: each(all, (one) => one.peakBytes / series), digits: 0 },
    { what: '  CPU-s a million samples', of: { narthex: cpuOf(cutting) }, digits: 2 },
    { what: '  written, B a sample', of: { narthex: writtenOf(cutting) }, digits: 2 },
  ]
}

function printSlope(sizes: readonly Size[], all: readonly Partial<Record<ServerName, Measured>>[]): void {
  const [small, big] = sizes.map((size) => size.targets * size.series)
  const of: Figure['of'] = {}
  for (const name of SERVERS) {
    const [a, b] = all.map((measured) => measured[name]?.memory.ownBytes)
    if (a !== undefined && b !== undefined) of[name] = (b - a) / (big - small)
  }
  printFigures(`Between ${small} and ${big} series`, [
    { what: 'memory, B a series more', of, digits: 0, goals: MEMORY_GOALS },
  ])
}

function measure(name: ServerName, size: Size, options: RunOptions): Promise<Measured> {
  const { targets, series, intervalMs, seconds, isPlain } = size
  const isCutting = name === 'narthex' && options.cutSpanSeconds > 0
  const flags = isCutting ? [`--${CUT_SPAN_FLAG}=${options.cutSpanSeconds}s`] : []
  const pages = { targets, series, classes: CLASSES, intervalMs, isMoving: true, isPlain }
  return underScrapes(name, pages, flags, async (scraped) => {
    const measured = await countFor(scraped.server, seconds, options.hasQueries)
    await checkArrival(scraped)
    return measured
  })
}

async function countFor(server: Server, seconds: number, hasQueries: boolean): Promise<Measured> {
  const { pid } = server.child
  const isOurs = server.name === 'narthex'
  const counters = async () => ({
    samples: await appendedSamples(server),
    cpu: cpuSeconds(pid),
    written: writtenBytes(pid),
    lateness: isOurs ? latenessOf(await ownMetrics(server)) : undefined,
  })
  const before = await counters()
  const watch = new MemoryWatch(pid, 1000)
  const queries = hasQueries ? new HeavyQueries(server) : undefined
  await sleep(seconds * 1000)
  watch.stop()
  const after = await counters()
  await queries?.stop()
  return {
    samples: after.samples - before.samples,
    cpuSeconds: after.cpu - before.cpu,
    writtenBytes: after.written - before.written,
    memory: watch.settled(),
    peakBytes: watch.peakBytes,
    lateness: isOurs ? latenessBetween(before.lateness!, after.lateness!) : undefined,
  }
}

/** Two queries over many series, each asked again as soon as it is answered. */
class HeavyQueries {
  private isStopped = false
  private readonly loops: Promise<void>[]
  private answers = 0

  constructor(server: Server) {
    this.loops = [
      'sum by (namespace) (rate({__name__=~"bench_app_.*_total"}[1m]))',
      'histogram_quantile(0.99, sum by (le, handler) (rate({__name__=~"bench_app_.*_bucket"}[1m])))',
    ].map((query) => this.ask(server, query))
  }

  async stop(): Promise<void> {
    this.isStopped = true
    await Promise.all(this.loops)
    console.log(`heavy queries answered meanwhile: ${this.answers}`)
  }

  private async ask(server: Server, query: string): Promise<void> {
    while (!this.isStopped) {
      const end = Date.now() / 1000
      await queryApi(server, 'query_range', { query, start: String(end - 300), end: String(end), step: '5' })
      this.answers++
    }
  }
}
