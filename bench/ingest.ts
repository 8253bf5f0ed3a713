/**
 * What it costs to scrape: CPU a sample, memory a series, bytes written, and how late scrapes begin.
 *
 *   npm run bench -- ingest [--big | --both] [--targets 100] [--series 2000] [--interval 5] [--seconds 120]
 *                           [--cut-span SECONDS] [--queries] [--servers narthex,prometheus,victoriametrics]
 *
 * The servers run one after the other under the same exporter (exporter.ts), each with both cores, with gzip, from an
 * empty folder; counting begins after a warm-up of two intervals. `--big` is 500 × 1,000 every 10 s, `--both` runs the
 * two sizes and prints the slope of memory between them. Ours runs twice: as it is, and with a short span between cuts
 * (a quarter of the time unless said), so that memory and lateness are also taken while generations are cut, written
 * and merged; `--queries` keeps two heavy queries running in that second run. CPU is of the first run.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { removeFolder, temporaryFolder } from './children.ts'
import { type Exporter, scrapeConfig, startExporter } from './exporter.ts'
import { type Figure, printFigures } from './figures.ts'
import { type Lateness, latenessBetween, latenessOf, latenessText, quantileBound } from './lateness.ts'
import { cpuSeconds, type Memory, MemoryWatch, writtenBytes } from './proc.ts'
import {
  appendedSamples,
  hasFlag,
  ownMetrics,
  queryApi,
  queryNumber,
  SERVERS,
  type Server,
  type ServerName,
  serverNames,
  start,
  untilReady,
} from './server.ts'

const CLASSES = 10
const CUT_SPAN_FLAG = 'storage.head-cut-span'
/** Of what the exporter has served: the last scrapes of a run are on their way. */
const ARRIVED_SHARE_MIN = 0.98
const LATENESS_MAX_MS = 20

interface Size {
  targets: number
  series: number
  intervalMs: number
  seconds: number
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
    },
  })
  const seconds = Number(values.seconds)
  const asked: Size = {
    targets: Number(values.targets),
    series: Number(values.series),
    intervalMs: Number(values.interval) * 1000,
    seconds,
  }
  const big: Size = { targets: 500, series: 1000, intervalMs: 10_000, seconds }
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
  let cutting: Measured | undefined
  if (names.includes('narthex')) {
    if (hasFlag(CUT_SPAN_FLAG)) cutting = await measure('narthex', size, withCuts)
    else {
      console.log(`--${CUT_SPAN_FLAG} is not there: memory and lateness of ours are without cuts`)
      if (withCuts.hasQueries) cutting = await measure('narthex', size, { ...withCuts, cutSpanSeconds: 0 })
    }
  }
  const title = `${size.targets} targets × ${size.series} series every ${size.intervalMs / 1000} s, ${size.seconds} s`
  printFigures(title, figuresOf(size, measured, cutting))
  for (const [what, run] of [
    ['ours', measured.narthex],
    [`ours, cuts${withCuts.hasQueries ? ' and queries' : ''}`, cutting],
  ] as const) {
    if (run?.lateness !== undefined) console.log(`start lateness, ${what}: ${latenessText(run.lateness)}`)
  }
  return { ...measured, ...(cutting === undefined ? {} : { narthex: cutting }) }
}

function figuresOf(
  size: Size,
  measured: Partial<Record<ServerName, Measured>>,
  cutting: Measured | undefined,
): Figure[] {
  const series = size.targets * size.series
  const each = (of: (one: Measured) => number) => {
    const entries = Object.entries(measured).map(([name, one]) => [name, of(one)] as const)
    return Object.fromEntries(entries) as Figure['of']
  }
  const ownBytes = (one: Measured) => one.memory.ownBytes / series
  const cpu = (one: Measured) => (one.cpuSeconds / one.samples) * 1e6
  const written = (one: Measured) => one.writtenBytes / one.samples
  const memoryGoals = [
    { against: 'prometheus', max: 0.35 },
    { against: 'victoriametrics', max: 1 },
  ] as const
  const figures: Figure[] = [
    {
      what: 'CPU-s a million samples',
      of: each(cpu),
      digits: 2,
      goals: [
        { against: 'prometheus', max: 0.33 },
        ...(series >= 500_000 ? [{ against: 'victoriametrics', max: 0.7 } as const] : []),
      ],
    },
    { what: 'memory, B a series', of: each(ownBytes), digits: 0, goals: cutting ? [] : memoryGoals },
    { what: 'its peak', of: each((one) => one.peakBytes / series), digits: 0 },
    { what: 'pages of files, B a series', of: each((one) => one.memory.fileBytes / series), digits: 0 },
    { what: 'written to disk, B a sample', of: each(written), digits: 2 },
  ]
  if (cutting === undefined) return figures
  const ours = (of: (one: Measured) => number) => ({ ...each(of), narthex: of(cutting) })
  const late = quantileBound(cutting.lateness!, 0.99) * 1000
  figures.push(
    { what: 'ours with cuts: CPU-s a million', of: ours(cpu), digits: 2 },
    { what: 'ours with cuts: memory, B a series', of: ours(ownBytes), digits: 0, goals: memoryGoals },
    { what: 'ours with cuts: written, B a sample', of: ours(written), digits: 2 },
    {
      what: 'ours with cuts: lateness p99, ms',
      of: { narthex: late },
      digits: 1,
      goals: [{ against: 'absolute', max: LATENESS_MAX_MS }],
    },
  )
  return figures
}

function printSlope(sizes: readonly Size[], all: readonly Partial<Record<ServerName, Measured>>[]): void {
  const [small, big] = sizes.map((size) => size.targets * size.series)
  const of: Figure['of'] = {}
  for (const name of SERVERS) {
    const [a, b] = all.map((measured) => measured[name]?.memory.ownBytes)
    if (a !== undefined && b !== undefined) of[name] = (b - a) / (big - small)
  }
  const goals = [
    { against: 'prometheus', max: 0.35 },
    { against: 'victoriametrics', max: 1 },
  ] as const
  printFigures(`Between ${small} and ${big} series`, [
    { what: 'memory, B a series more', of, digits: 0, goals },
  ])
}

async function measure(name: ServerName, size: Size, options: RunOptions): Promise<Measured> {
  const folder = temporaryFolder()
  const { targets, series, intervalMs } = size
  const exporter = await startExporter({ targets, series, classes: CLASSES, intervalMs, isMoving: true })
  const isCutting = name === 'narthex' && options.cutSpanSeconds > 0
  const flags = isCutting ? [`--${CUT_SPAN_FLAG}=${options.cutSpanSeconds}s`] : []
  const server = await start(name, folder, scrapeConfig(exporter.port, targets, intervalMs), flags)
  try {
    await untilReady(server)
    await warmUp(exporter, targets, intervalMs)
    const measured = await countFor(server, size.seconds, options.hasQueries)
    await checkArrival(server, exporter, targets)
    return measured
  } finally {
    await server.child.kill()
    await exporter.child.kill()
    removeFolder(folder)
  }
}

/** Until each target was scraped twice: series are made, code is compiled. */
async function warmUp(exporter: Exporter, targets: number, intervalMs: number): Promise<void> {
  const deadline = Date.now() + 10 * intervalMs + 60_000
  while ((await exporter.served()).pages < 2 * targets) {
    if (Date.now() > deadline) throw new Error('the server does not scrape all targets')
    await sleep(Math.min(500, intervalMs / 4))
  }
  await sleep(Math.min(2000, intervalMs / 2))
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

/** Throws unless the targets are up and what the exporter has served has been taken. */
async function checkArrival(server: Server, exporter: Exporter, targets: number): Promise<void> {
  const { samples: served } = await exporter.served()
  const appended = await appendedSamples(server)
  if (appended < served * ARRIVED_SHARE_MIN) {
    throw new Error(`${server.name} has taken ${appended} samples of ${served} that were served`)
  }
  const up = await queryNumber(server, 'sum(up)', Date.now() / 1000)
  if (up !== targets) throw new Error(`${server.name}: ${up} of ${targets} targets are up`)
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
