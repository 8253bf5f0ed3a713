// Goal: a page that is read by way of the page before means what it means alone. Method: pages that follow each other, each
// a changed form of one before, through a target's state and through a plain reading with maps; what storage is told of
// each series, the counts and the metadata are compared.
import { describe, expect, it } from 'vitest'
import { makeRelabelRule } from '../../src/relabel/build.ts'
import { MetadataPool } from '../../src/scrape/metadata.ts'
import type { PageRules } from '../../src/scrape/page.ts'
import { SampleRow } from '../../src/scrape/sample-row.ts'
import { ScrapeState, type WrittenPage } from '../../src/scrape/scrape-state.ts'
import type { ScrapeSettings } from '../../src/scrape/settings.ts'
import { Slices } from '../../src/scrape/slices.ts'
import { Labels } from '../../storage/model/labels.ts'
import { PageSequence } from '../harness/page-sequence.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'
import { NaiveTarget, RecordingStorage } from './naive-target.ts'

const START_MS = 1_700_000_000_000

const TARGET_LABELS = Labels.from({ instance: 't:1', job: 'j' })

const rule = (fields: Parameters<typeof makeRelabelRule>[0]) => makeRelabelRule(fields, 'utf8')

const RELABELLINGS = [
  [],
  [],
  [rule({ regex: 'le|method|b', action: 'labeldrop' })],
  [rule({ sourceLabels: ['__name__'], regex: '.*_(sum|total)', action: 'drop' })],
  [rule({ regex: '__name__', action: 'labeldrop' })],
]

function randomRules(random: Prng): PageRules {
  return {
    targetLabels: TARGET_LABELS,
    honorLabels: random.chance(0.5),
    honorTimestamps: random.chance(0.8),
    trackTimestampsStaleness: random.chance(0.3),
    metricRelabelConfigs: random.pick(RELABELLINGS.slice(0, random.chance(0.05) ? 5 : 4)),
    nameScheme: random.chance(0.9) ? 'utf8' : 'legacy',
    sampleLimit: random.chance(0.8) ? 0 : random.int(5, 40),
    labelLimit: random.chance(0.9) ? 0 : 5,
    labelNameLengthLimit: 0,
    labelValueLengthLimit: 0,
  }
}

function settingsOf(pageRules: PageRules): ScrapeSettings {
  return {
    jobName: 'j',
    headers: {},
    bodySizeLimit: 0,
    followRedirects: true,
    fallbackProtocol: undefined,
    withExtraMetrics: false,
    pageRules,
  }
}

/** One target twice, and what happens to both. */
class Twins {
  private readonly random: Prng
  private readonly sharing: { slices: Slices; row: SampleRow; metadataPool: MetadataPool }
  private readonly storage = new RecordingStorage()
  private readonly naiveStorage = new RecordingStorage()
  private readonly state: ScrapeState
  private readonly naive = new NaiveTarget(this.naiveStorage)
  private rules: PageRules
  private scrapeMs = START_MS

  constructor(random: Prng, sharing: Twins['sharing']) {
    this.random = random
    this.sharing = sharing
    this.state = new ScrapeState(TARGET_LABELS, this.storage, sharing)
    this.rules = randomRules(random)
  }

  /** Scrapes this page into both; undefined: no page came. Answers whether it was good. */
  async scrape(body: Buffer | undefined, message: string): Promise<boolean> {
    const { random } = this
    this.scrapeMs += 10_000
    if (random.chance(0.03)) {
      this.rules = randomRules(random)
      this.state.forgetLines()
      this.naive.forgetLines()
    }
    if (random.chance(0.05)) {
      this.storage.forgetRefs()
      this.naiveStorage.forgetRefs()
    }
    const nowMs = this.scrapeMs - (random.chance(0.02) ? 3_600_000 : 0)
    const times = { scrapeMs: this.scrapeMs, nowMs }
    const fetched = body === undefined ? undefined : { body, contentType: 'text/plain' }
    const written = await this.state.writePage(fetched, settingsOf(this.rules), times)
    await written.appender.commit()
    expect(this.sharing.row.count, message).toBe(0)
    // When failed scrapes fill the cache is its own affair, but not what follows from it.
    const naive = await this.naive.writePage(body, this.rules, times, written.isCacheFlushed)
    const where = `${message}\n${body?.toString('latin1')}`
    expect(countsOf(written), where).toEqual(naive)
    expect(this.newCalls(this.storage), where).toEqual(this.newCalls(this.naiveStorage))
    expect([...this.state.metadata.entries], where).toEqual([...this.naive.metadata])
    return written.error === undefined
  }

  private newCalls(storage: RecordingStorage): unknown {
    const calls = [...storage.calls].sort(([a], [b]) => (a < b ? -1 : 1))
    storage.calls.clear()
    return calls
  }
}

function countsOf(written: WrittenPage): object {
  const { appender: _a, isLabelLimitExceeded: _l, isCacheFlushed: _c, error, ...counts } = written
  return { ...counts, error: error?.message }
}

describe('a page behind others', () => {
  const seconds = Number(process.env.FUZZ_SECONDS ?? 3)
  it(`is read as if it stood alone, for ${seconds} s`, { timeout: seconds * 1000 + 20_000 }, async () => {
    const seed = testSeed()
    const random = prng(seed)
    const sharing = { slices: new Slices(), row: new SampleRow(), metadataPool: new MetadataPool() }
    const until = performance.now() + seconds * 1000
    let good = 0
    let all = 0
    for (let run = 0; performance.now() < until; run++) {
      const twins = new Twins(random, sharing)
      const pages = new PageSequence(random, START_MS)
      for (let n = 0; n < 40; n++) {
        const message = `SEED=${seed} run=${run} page=${n}`
        if (await twins.scrape(random.chance(0.03) ? undefined : pages.next(), message)) good++
        all++
      }
    }
    // The changes must neither spare nor break all pages.
    expect(good, `SEED=${seed}`).toBeGreaterThan(all / 4)
    expect(good, `SEED=${seed}`).toBeLessThan(all)
  })
})
