/** A scrape manager on memory storage, a clock turned by hand and pages that the test writes. */
import { Registry } from 'prom-client'
import type { Config, GlobalConfig, ScrapeConfig, TargetGroup } from '../../src/config/model.ts'
import type { GetRequest, GetResponse } from '../../src/http/client.ts'
import { labelsText } from '../../src/scrape/labels-text.ts'
import { ScrapeManager } from '../../src/scrape/manager.ts'
import { createLogger } from '../../src/telemetry/log.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_STALE, SampleColumns } from '../../storage/model/sample.ts'
import { FakeClock } from '../harness/fake-clock.ts'

/** A multiple of all intervals used in tests. */
export const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % 3_600_000)

export const LIMITS = {
  bodySizeLimit: 0,
  sampleLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  targetLimit: 0,
  keepDroppedTargets: 0,
}

const PROTOCOLS = ['PrometheusText1.0.0', 'PrometheusText0.0.4'] as const

const GLOBAL: GlobalConfig = {
  ...LIMITS,
  scrapeIntervalMs: 10_000,
  scrapeTimeoutMs: 10_000,
  scrapeProtocols: PROTOCOLS,
  evaluationIntervalMs: 60_000,
  ruleQueryOffsetMs: 0,
  externalLabels: Labels.EMPTY,
  queryLogFile: '',
  scrapeFailureLogFile: '',
  metricNameValidationScheme: 'utf8',
  metricNameEscapingScheme: 'allow-utf-8',
  scrapeNativeHistograms: false,
  convertClassicHistogramsToNhcb: false,
  alwaysScrapeClassicHistograms: false,
  extraScrapeMetrics: false,
}

/** A job that scrapes `t:1` every 10 s. */
export function job(overrides: Partial<ScrapeConfig> = {}): ScrapeConfig {
  return {
    ...LIMITS,
    jobName: 'j',
    scrapeIntervalMs: 10_000,
    scrapeTimeoutMs: 10_000,
    scrapeProtocols: PROTOCOLS,
    fallbackScrapeProtocol: undefined,
    metricsPath: '/metrics',
    scheme: 'http',
    params: [],
    honorLabels: false,
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    enableCompression: true,
    followRedirects: true,
    enableHttp2: true,
    scrapeFailureLogFile: '',
    nativeHistogramBucketLimit: 0,
    nativeHistogramMinBucketFactor: 0,
    scrapeNativeHistograms: false,
    convertClassicHistogramsToNhcb: false,
    alwaysScrapeClassicHistograms: false,
    extraScrapeMetrics: false,
    metricNameValidationScheme: 'utf8',
    metricNameEscapingScheme: 'allow-utf-8',
    relabelConfigs: [],
    metricRelabelConfigs: [],
    staticConfigs: [group(['t:1'])],
    ...overrides,
  }
}

export function group(addresses: string[], labels: Record<string, string> = {}): TargetGroup {
  return {
    targets: addresses.map((address) => Labels.from({ __address__: address })),
    labels: Labels.from(labels),
    source: '0',
  }
}

export function configOf(...scrapeConfigs: ScrapeConfig[]): Config {
  const storage = { outOfOrderWindowMs: 0, retention: {} }
  return { global: GLOBAL, storage, scrapeConfigs, yaml: '', unsupportedSections: [] }
}

/** What a target answers: a text, or an error to throw; or a promise of it, which a test settles. */
export type Answer = string | Error | (() => Promise<GetResponse>)

/** Times are ms since the first scrape, for the offset in the interval depends on the machine's name. */
type Point = [sinceFirstMs: number, value: number | 'stale']

export class Scraping {
  readonly clock: FakeClock
  readonly storage: MemoryStorage
  readonly registry = new Registry()
  readonly manager: ScrapeManager
  readonly requests: { atMs: number; request: GetRequest }[] = []
  /** Lines of the log, as objects. */
  readonly logged: Record<string, unknown>[] = []
  contentType = 'text/plain; version=0.0.4'
  /** By authority; '' for all others. */
  private readonly answers = new Map<string, Answer>()

  constructor(storage = new MemoryStorage()) {
    this.storage = storage
    this.clock = new FakeClock(START_MS)
    const logger = createLogger({
      level: 'debug',
      format: 'json',
      destination: { write: (line) => void this.logged.push(JSON.parse(line)) },
    })
    this.manager = new ScrapeManager({
      storage,
      logger,
      registry: this.registry,
      userAgent: 'Narthex/test',
      clock: this.clock,
      client: { get: (request) => this.get(request) },
    })
  }

  /** Sets what is answered from now on. */
  answer(answer: Answer, authority = ''): void {
    this.answers.set(authority, answer)
  }

  private async get(request: GetRequest): Promise<GetResponse> {
    this.requests.push({ atMs: this.clock.now(), request })
    const answer = this.answers.get(request.authority) ?? this.answers.get('') ?? ''
    if (answer instanceof Error) throw answer
    if (typeof answer === 'function') return await answer()
    return { body: Buffer.from(answer), contentType: this.contentType }
  }

  /** Unix ms of the first scrape of all; its tick exactly, since this clock is never late. */
  get firstScrapeMs(): number {
    return Math.min(...this.scrapeTimesMs)
  }

  private get scrapeTimesMs(): number[] {
    return this.requests.length > 0 ? this.requests.map(({ atMs }) => atMs) : [START_MS]
  }

  /** Scrapes once for each page, one interval of 10 s apart. */
  async scrape(...pages: Answer[]): Promise<void> {
    for (const text of pages) {
      this.answer(text)
      await this.clock.advance(10_000)
    }
  }

  /** All series as `{…}` → points; with `names` only those metrics, without the scrapes' own series by default. */
  async series(names?: readonly string[]): Promise<Record<string, Point[]>> {
    const querier = this.storage.querier(0, Number.MAX_SAFE_INTEGER)
    const hints = { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false }
    const set = await querier.select([new Matcher(METRIC_NAME, '!=', '')], hints)
    const found: Record<string, Point[]> = {}
    const columns = new SampleColumns()
    const firstMs = this.firstScrapeMs
    for (let i = 0; i < set.count; i++) {
      const labels = set.labels(i)
      const name = labels.get(METRIC_NAME)
      if (names === undefined ? isReport(name) : !names.includes(name)) continue
      set.read(i, columns)
      const points: Point[] = []
      for (let s = 0; s < columns.length; s++) {
        points.push([columns.t[s] - firstMs, columns.kind[s] === KIND_STALE ? 'stale' : columns.v[s]])
      }
      found[labelsText(labels)] = points
    }
    querier.close()
    return found
  }

  /** Values without times of the one series of each name. */
  async values(...names: string[]): Promise<Record<string, (number | 'stale')[]>> {
    const values: Record<string, (number | 'stale')[]> = {}
    for (const [labels, points] of Object.entries(await this.series(names))) {
      values[/__name__="([^"]*)"/.exec(labels)![1]] = points.map(([, value]) => value)
    }
    return values
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const { values } = await this.registry.getSingleMetric(name)!.get()
    return values.reduce((sum, { value }) => sum + value, 0)
  }
}

function isReport(name: string): boolean {
  return name === 'up' || name.startsWith('scrape_')
}

/** A page that the test answers later. */
export function deferred(): { answer: () => Promise<GetResponse>; resolve: (text: string) => void } {
  let settle: (response: GetResponse) => void = () => {}
  const promise = new Promise<GetResponse>((resolve) => {
    settle = resolve
  })
  return {
    answer: () => promise,
    resolve: (text) => settle({ body: Buffer.from(text), contentType: 'text/plain' }),
  }
}
