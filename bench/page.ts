/**
 * From a page's bytes to the calls on storage's appender, which here does nothing: ns a sample for the first page, for
 * pages of the same structure, and for pages with 1 % of their lines replaced; and the bytes that a known series costs.
 *
 *   npm run bench -- page [--samples 20000] [--targets 10] [--scrapes 30] [--file PAGE]
 *
 * Without a file the pages have families of counters, gauges and histograms with labels; half of the values change from
 * page to page. With a file (text format) the values are those of the file.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { MetadataPool } from '../src/scrape/metadata.ts'
import { SampleRow } from '../src/scrape/sample-row.ts'
import { ScrapeState } from '../src/scrape/scrape-state.ts'
import type { ScrapeSettings } from '../src/scrape/settings.ts'
import { Slices } from '../src/scrape/slices.ts'
import type { Appender } from '../storage/interface.ts'
import { Labels } from '../storage/model/labels.ts'

const CHANGED_SHARE = 0.01

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      samples: { type: 'string', default: '20000' },
      targets: { type: 'string', default: '10' },
      scrapes: { type: 'string', default: '30' },
      file: { type: 'string' },
    },
  })
  const scrapes = Number(values.scrapes)
  const source =
    values.file === undefined
      ? madePages(Number(values.samples))
      : recordedPages(readFileSync(values.file, 'latin1'))
  // So that compiled code is not taken for the memory of series.
  const warmUp = new PageBench(1)
  for (let n = 0; n < 5; n++) await warmUp.scrapeAll(source, n, n)
  const bench = new PageBench(Number(values.targets))
  const first = source(0, 0)
  process.stdout.write(
    `page: ${first.samples} samples, ${(first.body.length / first.samples).toFixed(0)} bytes each; ${values.targets} targets\n`,
  )
  const bytesBefore = await usedBytes()
  await bench.scrapeAll(source, 0, 0)
  const bytes = (await usedBytes()) - bytesBefore
  print('first page', bench.take())
  for (let n = 1; n <= scrapes; n++) await bench.scrapeAll(source, n, 0)
  print('steady page', bench.take())
  for (let n = 1; n <= scrapes; n++) await bench.scrapeAll(source, n, n)
  print('1 % of lines changed', bench.take())
  const series = first.samples * Number(values.targets)
  process.stdout.write(`${'memory'.padEnd(22)} ${(bytes / series).toFixed(1)} bytes a known series\n`)
}

/** Page `n` of a target; `change` > 0: with lines that no other `change` has. */
type PageSource = (n: number, change: number) => { body: Buffer; samples: number }

class PageBench {
  private readonly states: ScrapeState[]
  /** After the timestamps of any recorded page. */
  private nowMs = 1_900_000_000_000
  private nanoseconds = 0
  private samples = 0

  constructor(targets: number) {
    const storage = { appender: () => new NullAppender() }
    const sharing = { slices: new Slices(), row: new SampleRow(), metadataPool: new MetadataPool() }
    this.states = Array.from(
      { length: targets },
      (_, i) =>
        new ScrapeState(Labels.from({ instance: `target-${i}:9100`, job: 'bench' }), storage, sharing),
    )
  }

  /** One scrape of each target. */
  async scrapeAll(source: PageSource, n: number, change: number): Promise<void> {
    this.nowMs += 5000
    for (const state of this.states) {
      const { body, samples } = source(n, change)
      const fetched = { body, contentType: 'text/plain; version=0.0.4' }
      const before = process.cpuUsage()
      const page = await state.writePage(fetched, SETTINGS, { scrapeMs: this.nowMs, nowMs: this.nowMs })
      const used = process.cpuUsage(before)
      if (page.error !== undefined || page.scraped !== samples) throw new Error('the page was not read')
      this.nanoseconds += (used.user + used.system) * 1000
      this.samples += samples
    }
  }

  /** Mean CPU nanoseconds a sample since the last call. */
  take(): number {
    const mean = this.nanoseconds / this.samples
    this.nanoseconds = 0
    this.samples = 0
    return mean
  }
}

const SETTINGS: ScrapeSettings = {
  jobName: 'bench',
  headers: {},
  bodySizeLimit: 0,
  followRedirects: true,
  fallbackProtocol: undefined,
  withExtraMetrics: false,
  pageRules: {
    honorLabels: false,
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    metricRelabelConfigs: [],
    nameScheme: 'utf8',
    sampleLimit: 0,
    labelLimit: 0,
    labelNameLengthLimit: 0,
    labelValueLengthLimit: 0,
  },
}

let refs = 0

class NullAppender implements Appender {
  register(): number {
    return ++refs
  }

  append(): 0 {
    return 0
  }

  appendHistogram(): 0 {
    return 0
  }

  appendRow(_refs: Float64Array, _v: Float64Array, count: number, _t: number, outcomes: Int8Array): number {
    outcomes.fill(0, 0, count)
    return 0
  }

  async commit(): Promise<{ appended: number; outOfOrder: number }> {
    return { appended: 0, outOfOrder: 0 }
  }

  rollback(): void {}
}

const LES = ['0.005', '0.025', '0.1', '0.5', '1', '2.5', '10', '+Inf']

/** Families of 13 lines: a counter, two gauges and a histogram. */
function madePages(samples: number): PageSource {
  const families = Math.ceil(samples / 13)
  return (n, change) => {
    const lines: string[] = []
    let count = 0
    for (let f = 0; f < families; f++) {
      const name = `component_${f % 97}_subsystem_${f >> 3}`
      const isChanged = change > 0 && f % Math.round(1 / CHANGED_SHARE) === change % 7
      const labels = `method="${f % 2 ? 'GET' : 'POST'}",path="/api/v1/resource/${f}${isChanged ? `/${change}` : ''}",code="200"`
      const moved = f % 2 === 0 ? n : 0
      lines.push(`# HELP ${name}_total Requests that the subsystem has seen.`, `# TYPE ${name}_total counter`)
      lines.push(`${name}_total{${labels}} ${1000 * f + 17 * moved}`)
      lines.push(`# TYPE ${name}_bytes gauge`)
      lines.push(`${name}_bytes{${labels}} ${(1.5e7 + f * 4096 + moved * 8192).toExponential()}`)
      lines.push(`${name}_temperature{${labels}} ${(20 + ((f + moved) % 1000) / 100).toFixed(2)}`)
      lines.push(`# HELP ${name}_seconds Time that requests took.`, `# TYPE ${name}_seconds histogram`)
      LES.forEach((le, k) => {
        lines.push(`${name}_seconds_bucket{${labels},le="${le}"} ${(k + 1) * (f + moved)}`)
      })
      lines.push(`${name}_seconds_sum{${labels}} ${Math.sqrt(f + moved)}`)
      lines.push(`${name}_seconds_count{${labels}} ${8 * (f + moved)}`)
      count += 13
    }
    return { body: Buffer.from(`${lines.join('\n')}\n`), samples: count }
  }
}

function recordedPages(text: string): PageSource {
  const lines = text.split('\n')
  const isSample = (line: string) => line !== '' && !line.startsWith('#')
  const samples = lines.filter(isSample).length
  return (_n, change) => {
    const every = Math.round(1 / CHANGED_SHARE)
    const changed = lines.map((line, i) =>
      change > 0 && i % every === change % 7 && isSample(line) ? `x${change}_${line}` : line,
    )
    return { body: Buffer.from(changed.join('\n'), 'latin1'), samples }
  }
}

function print(name: string, nanoseconds: number): void {
  process.stdout.write(`${name.padEnd(22)} ${nanoseconds.toFixed(0)} ns a sample\n`)
}

/** Heap and array buffers after a collection; needs --expose-gc for exact figures. */
async function usedBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
