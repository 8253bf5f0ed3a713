/**
 * What it costs to scrape: CPU a sample, memory a series, bytes written, and how late scrapes begin.
 *
 *   npm run bench -- ingest [--big | --both] [--targets 100] [--series 2000] [--interval 5] [--seconds 120]
 *                           [--cut-span SECONDS] [--queries] [--identity] [--servers narthex,prometheus,victoriametrics]
 *
 * The servers run one after the other under the same exporter (exporter.ts), each with both cores, from an empty
 * folder, with gzip unless `--identity` is said; counting begins after a warm-up of two intervals. `--big` is 500 × 1,000 every 10 s, `--both` runs the
 * two sizes and prints the slope of memory between them. Ours runs twice: as it is, and with a short span between cuts
 * (a quarter of the time unless said), so that memory and lateness are also taken while generations are cut, written
 * and merged; `--queries` keeps two heavy queries running in that second run. CPU is of the first run.
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

/** The second run of ours. */
interface Strained extends Measured {
  /** What it differs by from the first. */
  how: string
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
  const strained = names.includes('narthex') ? await measureStrained(size, withCuts) : undefined
  const title = `${size.targets} targets × ${size.series} series every ${size.intervalMs / 1000} s, ${size.seconds} s`
  printFigures(title, [...figuresOf(size, measured, strained), ...strainedFigures(size, measured, strained)])
  if (measured.narthex?.lateness !== undefined) {
    console.log(`start lateness, ours: ${latenessText(measured.narthex.lateness)}`)
  }
  if (strained?.lateness !== undefined) {
    console.log(`start lateness, ours ${strained.how}: ${latenessText(strained.lateness)}`)
  }
  return { ...measured, ...(strained === undefined ? {} : { narthex: strained }) }
}

async function measureStrained(size: Size, options: RunOptions): Promise<Strained | undefined> {
  const canCut = hasFlag(CUT_SPAN_FLAG)
  if (!canCut) console.log(`--${CUT_SPAN_FLAG} is not there: memory and lateness of ours are without cuts`)
  if (!canCut && !options.hasQueries) return undefined
  const cutSpanSeconds = canCut ? options.cutSpanSeconds : 0
  const ways = [...(canCut ? ['cuts'] : []), ...(options.hasQueries ? ['queries'] : [])]
  return {
    ...(await measure('narthex', size, { ...options, cutSpanSeconds })),
    how: `with ${ways.join(' and ')}`,
  }
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
  strained: Strained | undefined,
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
      goals: strained ? [] : MEMORY_GOALS,
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

/** Ours under strain beside the peers as they are. */
function strainedFigures(
  size: Size,
  measured: Partial<Record<ServerName, Measured>>,
  strained: Strained | undefined,
): Figure[] {
  if (strained === undefined) return []
  const series = size.targets * size.series
  const all = { ...measured, narthex: strained }
  const ownBytes = (one: Measured) => one.memory.ownBytes / series
  const { how } = strained
  return [
    { what: `ours ${how}: CPU-s a million`, of: each(all, cpuOf), digits: 2 },
    { what: '  memory, B a series', of: each(all, ownBytes), digits: 0, goals: MEMORY_GOALS },
    { what: '  its peak', of: each(all, (one) => one.peakBytes / series), digits: 0 },
    { what: '  written, B a sample', of: each(all, writtenOf), digits: 2 },
    {
      what: '  lateness p99, ms',
      of: { narthex: quantileBound(strained.lateness!, 0.99) * 1000 },
      digits: 1,
      goals: [{ against: 'absolute', max: LATENESS_MAX_MS }],
    },
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
