// Goal: when a series is ended (reference §4.5), and what a scrape reports of itself (§4.4). Method: pages one after the
// other, and the points that are left.
import { describe, expect, it } from 'vitest'
import { HttpError } from '../../src/http/http-error.ts'
import { makeRelabelRule } from '../../src/relabel/build.ts'
import { APPEND_UNKNOWN_REF, APPENDED } from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { type Answer, configOf, deferred, group, job, Scraping, START_MS } from './fixture.ts'

const down = new HttpError('TRANSPORT', 'Get "http://t:1/metrics": EOF')

async function scraped(config: Parameters<typeof job>[0], ...pages: Answer[]): Promise<Scraping> {
  const scraping = new Scraping()
  await scraping.manager.apply(configOf(job(config)))
  await scraping.scrape(...pages)
  return scraping
}

describe('a series that is no longer exposed', () => {
  it('is ended by the next scrape, at its time, once', async () => {
    const scraping = await scraped({}, 'a 1\nb 1\n', 'a 2\n', 'a 3\n')
    expect(await scraping.series()).toEqual({
      '{__name__="a", instance="t:1", job="j"}': [
        [0, 1],
        [10_000, 2],
        [20_000, 3],
      ],
      '{__name__="b", instance="t:1", job="j"}': [
        [0, 1],
        [10_000, 'stale'],
      ],
    })
  })

  it('may come back, and is then new', async () => {
    const scraping = await scraped({}, 'a 1\nb 1\n', 'a 1\n', 'a 1\nb 2\n')
    expect(await scraping.values('b', 'scrape_series_added')).toEqual({
      b: [1, 'stale', 2],
      scrape_series_added: [2, 0, 1],
    })
  })

  it('is not ended where another line is the same series', async () => {
    const scraping = await scraped({}, 'a{x="1",y="2"} 1\n', 'a{y="2",x="1"} 2\n')
    expect(Object.values(await scraping.series())).toEqual([
      [
        [0, 1],
        [10_000, 2],
      ],
    ])
  })

  it('with its own timestamps is not ended, unless track_timestamps_staleness', async () => {
    const page = `a 1 ${START_MS}\n`
    expect(await (await scraped({}, page, 'b 1\n')).values('a')).toEqual({ a: [1] })
    const tracked = await scraped({ trackTimestampsStaleness: true }, page, 'b 1\n')
    expect(await tracked.values('a')).toEqual({ a: [1, 'stale'] })
    const ignored = await scraped({ honorTimestamps: false }, page, 'b 1\n')
    expect(await ignored.values('a')).toEqual({ a: [1, 'stale'] })
  })

  it('is ended by an empty page, which is a success', async () => {
    const scraping = await scraped({}, 'a 1\n', '', '')
    expect(await scraping.values('a', 'up', 'scrape_samples_scraped')).toEqual({
      a: [1, 'stale'],
      up: [1, 1, 1],
      scrape_samples_scraped: [1, 0, 0],
    })
  })
})

describe('a scrape that fails', () => {
  it('ends all series when there is no page', async () => {
    const scraping = await scraped({}, 'a 1\nb 1\n', down, down, 'a 2\nb 2\n')
    expect(await scraping.values('a', 'b', 'up', 'scrape_samples_scraped', 'scrape_series_added')).toEqual({
      a: [1, 'stale', 2],
      b: [1, 'stale', 2],
      up: [1, 0, 0, 1],
      scrape_samples_scraped: [2, 0, 0, 2],
      // Known from before, so not new.
      scrape_series_added: [2, 0, 0, 0],
    })
  })

  // As Prometheus does (2.42 was asked): what the broken page still had counts as seen by it.
  it('half way ends what it did not read, and the rest with the next failure', async () => {
    const scraping = await scraped({}, 'a 1\nb 1\nc 1\n', 'a 2\nb oops\n', down)
    expect(await scraping.values('a', 'b', 'c', 'up')).toEqual({
      a: [1, 'stale'],
      b: [1, 'stale'],
      c: [1, 'stale'],
      up: [1, 0, 0],
    })
    const [a, b] = Object.values(await scraping.series())
    expect([a.at(-1), b.at(-1)]).toEqual([
      [20_000, 'stale'],
      [10_000, 'stale'],
    ])
  })

  it('by sample_limit ends what is beyond the limit', async () => {
    const scraping = await scraped({ sampleLimit: 2 }, 'b 1\nc 1\n', 'a 1\nb 1\nc 1\n')
    expect(await scraping.values('a', 'b', 'c', 'up')).toEqual({ b: [1], c: [1, 'stale'], up: [1, 0] })
  })

  it('does not fill memory, however its lines change', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    for (let i = 0; i < 4; i++) {
      const lines = Array.from({ length: 400 }, (_, n) => `a{i="${i}",n="${n}"} 1\n`).join('')
      await scraping.scrape(`${lines}oops\n`)
    }
    expect(await scraping.metric('prometheus_target_scrapes_cache_flush_forced_total')).toBe(1)
  })
})

describe('a target that is gone', () => {
  const two = job({ staticConfigs: [group(['t:1', 't:2'])] })
  const one = job({ staticConfigs: [group(['t:2'])] })

  it('has its series ended after two intervals and a tenth, at the first tick missed', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(two))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(one))
    const own = (all: object): object =>
      Object.fromEntries(Object.entries(all).filter(([labels]) => labels.includes('t:1')))
    const lastMs = scraping.requests.find(({ request }) => request.authority === 't:1')!.atMs
    await scraping.clock.advance(lastMs + 20_999 - scraping.clock.now())
    expect(Object.values(own(await scraping.series()))).toEqual([[[expect.any(Number), 1]]])
    await scraping.clock.advance(2)
    const ended = own(await scraping.series(['a', 'up', 'scrape_duration_seconds', 'scrape_series_added']))
    expect(Object.values(ended).length).toBe(4)
    for (const points of Object.values(ended)) {
      expect(points.length).toBe(2)
      expect(points[1]).toEqual([lastMs + 10_000 - scraping.firstScrapeMs, 'stale'])
    }
  })

  it('may come back before: then nothing is ended', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(two))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(one))
    await scraping.manager.apply(configOf(two))
    await scraping.scrape('a 1\n', 'a 1\n', 'a 1\n')
    for (const points of Object.values(await scraping.series())) {
      expect(points.map(([, value]) => value)).toEqual([1, 1, 1, 1])
    }
  })

  it('that was never scraped leaves nothing', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(two))
    await scraping.manager.apply(configOf(one))
    scraping.answer('a 1\n')
    await scraping.clock.advance(40_000)
    expect(Object.keys(await scraping.series())).toEqual(['{__name__="a", instance="t:2", job="j"}'])
  })

  it('with its whole job is ended too', async () => {
    const scraping = await scraped({}, 'a 1\n')
    await scraping.manager.apply(configOf())
    expect(scraping.manager.pools()).toEqual([])
    await scraping.clock.advance(40_000)
    expect(await scraping.values('a', 'up')).toEqual({ a: [1, 'stale'], up: [1, 'stale'] })
  })

  it('finishes its last scrape', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    const late = deferred()
    scraping.answer(late.answer)
    await scraping.clock.advance(10_000)
    await scraping.manager.apply(configOf())
    late.resolve('a 1\n')
    await scraping.clock.advance(40_000)
    expect(await scraping.values('a', 'up')).toEqual({ a: [1, 'stale'], up: [1, 'stale'] })
  })

  it('because the server stops is not ended, nor what was about to be', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(two))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(one))
    await scraping.manager.stop()
    await scraping.clock.advance(100_000)
    expect(scraping.clock.timers).toBe(0)
    for (const points of Object.values(await scraping.series())) expect(points.length).toBe(1)
  })
})

describe('the report', () => {
  it('carries only the labels of the target, and is not relabelled', async () => {
    const metricRelabelConfigs = [makeRelabelRule({ regex: 'job', action: 'labeldrop' }, 'utf8')]
    const staticConfigs = [group(['t:1'], { zone: 'z' })]
    const scraping = await scraped({ metricRelabelConfigs, staticConfigs }, 'a 1\n')
    const names = [
      'up',
      'scrape_duration_seconds',
      'scrape_samples_scraped',
      'scrape_samples_post_metric_relabeling',
      'scrape_series_added',
    ]
    expect(Object.keys(await scraping.series([...names, 'scrape_timeout_seconds']))).toEqual(
      names.sort().map((name) => `{__name__="${name}", instance="t:1", job="j", zone="z"}`),
    )
  })

  it('has more with extra_scrape_metrics', async () => {
    const tooLarge = new HttpError('BODY_SIZE_LIMIT', 'body size limit exceeded')
    const config = { extraScrapeMetrics: true, sampleLimit: 7, scrapeTimeoutMs: 2500 }
    const scraping = await scraped(config, 'a 1\n', tooLarge, down, 'a oops\n')
    expect(
      await scraping.values('scrape_timeout_seconds', 'scrape_sample_limit', 'scrape_body_size_bytes'),
    ).toEqual({
      scrape_timeout_seconds: [2.5, 2.5, 2.5, 2.5],
      scrape_sample_limit: [7, 7, 7, 7],
      scrape_body_size_bytes: [4, -1, 0, 7],
    })
    expect(await scraping.metric('prometheus_target_scrapes_exceeded_body_size_limit_total')).toBe(1)
  })

  it('measures from the start of the request to the end of the page', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    const late = deferred()
    scraping.answer(late.answer)
    await scraping.clock.advance(10_000)
    const startedMs = scraping.requests[0].atMs
    await scraping.clock.advance(2500)
    const waitedMs = scraping.clock.now() - startedMs
    late.resolve('a 1\n')
    await scraping.clock.advance(0)
    expect(await scraping.series(['scrape_duration_seconds', 'a'])).toEqual({
      '{__name__="a", instance="t:1", job="j"}': [[0, 1]],
      '{__name__="scrape_duration_seconds", instance="t:1", job="j"}': [[0, waitedMs / 1000]],
    })
    expect(scraping.manager.activeTargets()[0]).toMatchObject({
      health: 'up',
      lastScrapeMs: startedMs,
      lastScrapeDurationSeconds: waitedMs / 1000,
    })
  })
})

describe('refs that storage has forgotten', () => {
  /** After `forget`, refs given out before are unknown, as when a generation is gone. */
  class ForgetfulStorage extends MemoryStorage {
    private known = new Set<number>()

    forget(): void {
      this.known = new Set()
    }

    override appender(): Appender {
      const appender = super.appender()
      return {
        ...appender,
        register: (labels) => {
          const ref = appender.register(labels)
          this.known.add(ref)
          return ref
        },
        append: (ref, t, v, kind) =>
          this.known.has(ref) ? appender.append(ref, t, v, kind) : APPEND_UNKNOWN_REF,
        appendRow: (refs, v, count, t, outcomes) => {
          let others = 0
          for (let i = 0; i < count; i++) {
            const isKnown = this.known.has(refs[i])
            outcomes[i] = isKnown ? appender.append(refs[i], t, v[i], KIND_FLOAT) : APPEND_UNKNOWN_REF
            if (outcomes[i] !== APPENDED) others++
          }
          return others
        },
      }
    }
  }

  it('are registered again, for samples, markers and the report', async () => {
    const storage = new ForgetfulStorage()
    const scraping = new Scraping(storage)
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\nb 1\n')
    storage.forget()
    await scraping.scrape('a 2\n')
    expect(await scraping.values('a', 'b', 'up', 'scrape_series_added')).toEqual({
      a: [1, 2],
      b: [1, 'stale'],
      up: [1, 1],
      scrape_series_added: [2, 0],
    })
  })
})
