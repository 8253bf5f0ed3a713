// Goal: when targets are scraped (reference §4.6). Method: arithmetic by hand, then loops under a clock turned by hand.
import { describe, expect, it } from 'vitest'
import { goDurationText } from '../../src/scrape/metrics.ts'
import { nextTick, snappedMs, tickAfter } from '../../src/scrape/schedule.ts'
import type { Appender } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { prng } from '../harness/prng.ts'
import { configOf, deferred, group, job, Scraping } from './fixture.ts'

const schedule = { intervalMs: 1000, offsetMs: 300 }

describe('ticks', () => {
  it.each([
    { rule: 'the next one', now: 5000, want: 5300 },
    { rule: 'a full interval after a tick', now: 5300, want: 6300 },
    { rule: 'just before one', now: 5299.5, want: 5300 },
  ])('first: $rule', ({ now, want }) => expect(tickAfter(now, schedule)).toBe(want))

  it.each([
    { rule: 'the scrape was quick', now: 5350, want: 6300 },
    { rule: 'it took until the next tick', now: 6300, want: 6300 },
    { rule: 'it took a little longer: the tick is served late', now: 6350, want: 6300 },
    { rule: 'it took three intervals: only the last tick is served', now: 8350, want: 8300 },
    { rule: 'the clock was set back', now: 1000, want: 1300 },
  ])('next: $rule', ({ now, want }) => expect(nextTick(5300, now, schedule)).toBe(want))

  it('are the same for every start', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e9)
    const random = prng(seed)
    for (let run = 0; run < 1000; run++) {
      const intervalMs = random.int(1, 100_000)
      const offsetMs = random.int(0, intervalMs - 1)
      const now = random.int(0, 2 ** 41)
      const tick = tickAfter(now, { intervalMs, offsetMs })
      const message = `SEED=${seed} run=${run}`
      expect(tick % intervalMs, message).toBe(offsetMs)
      expect(tick, message).toBeGreaterThan(now)
      expect(tick - now, message).toBeLessThanOrEqual(intervalMs)
    }
  })

  it.each([
    { rule: 'within 2 ms', intervalMs: 10_000, lateMs: 2, snaps: true },
    { rule: 'beyond 2 ms', intervalMs: 10_000, lateMs: 3, snaps: false },
    { rule: 'within 1 % of a short interval', intervalMs: 100, lateMs: 1, snaps: true },
    { rule: 'beyond 1 % of a short interval', intervalMs: 100, lateMs: 2, snaps: false },
    { rule: 'within a tolerance of its own', intervalMs: 10_000, lateMs: 9, toleranceMs: 10, snaps: true },
    { rule: 'never beyond 1 %', intervalMs: 500, lateMs: 9, toleranceMs: 10, snaps: false },
    { rule: 'switched off', intervalMs: 10_000, lateMs: 1, toleranceMs: 0, snaps: false },
    { rule: 'a timer that fires early', intervalMs: 10_000, lateMs: -1, snaps: true },
  ])('snapped: $rule', ({ intervalMs, lateMs, toleranceMs, snaps }) => {
    expect(snappedMs(50_000 + lateMs, 50_000, intervalMs, toleranceMs)).toBe(50_000 + (snaps ? 0 : lateMs))
  })

  it.each([
    [500, '500ms'],
    [5000, '5s'],
    [1500, '1.5s'],
    [60_000, '1m0s'],
    [90_000, '1m30s'],
    [3_600_000, '1h0m0s'],
  ])('%d ms is %s', (ms, text) => expect(goDurationText(ms)).toBe(text))
})

describe('a loop', () => {
  it('scrapes at the same phase each interval, each target at its own', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job({ staticConfigs: [group(['t:1', 't:2', 't:3'])] })))
    await scraping.scrape('a 1\n', 'a 1\n', 'a 1\n')
    const phases = new Map<string, Set<number>>()
    for (const { atMs, request } of scraping.requests) {
      const own = phases.get(request.authority) ?? new Set()
      phases.set(request.authority, own.add(atMs % 10_000))
    }
    expect([...phases.values()].map((own) => own.size)).toEqual([1, 1, 1])
    expect(new Set([...phases.values()].flatMap((own) => [...own])).size).toBe(3)
    expect(scraping.requests.length).toBe(9)
  })

  it('has one request under way; ticks meanwhile are dropped, and the last one is served at once', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n')
    const firstMs = scraping.firstScrapeMs
    const late = deferred()
    scraping.answer(late.answer)
    await scraping.clock.advance(10_000)
    await scraping.clock.advance(firstMs + 35_000 - scraping.clock.now())
    expect(scraping.requests.length).toBe(2)
    scraping.answer('a 3\n')
    late.resolve('a 2\n')
    await scraping.clock.advance(6000)
    expect(scraping.requests.map(({ atMs }) => atMs - firstMs)).toEqual([0, 10_000, 35_000, 40_000])
    expect(await scraping.series()).toEqual({
      '{__name__="a", instance="t:1", job="j"}': [
        [0, 1],
        [10_000, 2],
        [35_000, 3],
        [40_000, 3],
      ],
    })
  })

  it('that begins late has less time, so that the next scrape is not late too', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    const late = deferred()
    scraping.answer(late.answer)
    await scraping.clock.advance(10_000)
    const firstMs = scraping.firstScrapeMs
    await scraping.clock.advance(firstMs + 10_250 - scraping.clock.now())
    late.resolve('a 1\n')
    await scraping.scrape('a 1\n')
    const timeouts = scraping.requests.map(({ atMs, request }) => [atMs - firstMs, request.timeoutMs])
    expect(timeouts.slice(0, 3)).toEqual([
      [0, 10_000],
      [10_250, 9750],
      [20_000, 10_000],
    ])
  })

  it('goes on when the clock is set back, and when it is set forward', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n')
    const phase = scraping.firstScrapeMs % 10_000
    scraping.clock.setWall(scraping.clock.now() - 3_600_000)
    await scraping.clock.advance(30_000)
    expect(scraping.requests.length).toBeGreaterThanOrEqual(3)
    expect(scraping.requests.at(-1)!.atMs % 10_000).toBe(phase)
    const before = scraping.requests.length
    scraping.clock.setWall(scraping.clock.now() + 7_203_000)
    await scraping.clock.advance(30_000)
    expect(scraping.requests.length - before).toBeGreaterThanOrEqual(3)
    expect(scraping.requests.at(-1)!.atMs % 10_000).toBe(phase)
  })

  it('observes the time between scrapes, and how late they begin', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n', 'a 1\n', 'a 1\n')
    const text = await scraping.registry.metrics()
    expect(text).toContain('prometheus_target_interval_length_seconds{quantile="0.5",interval="10s"} 10')
    expect(text).toContain('prometheus_target_interval_length_seconds_count{interval="10s"} 2')
    expect(text).toContain('narthex_scrape_start_lateness_seconds_bucket{le="0.001"} 3')
  })
})

describe('a slow log', () => {
  /** Commits when the test says so. */
  class SlowStorage extends MemoryStorage {
    release: () => void = () => {}

    override appender(): Appender {
      const appender = super.appender()
      return {
        ...appender,
        commit: async () => {
          await new Promise<void>((resolve) => {
            this.release = resolve
          })
          return await appender.commit()
        },
      }
    }
  }

  it('makes no scrape late, and what it delays is written in order', async () => {
    const storage = new SlowStorage()
    const scraping = new Scraping(storage)
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n', 'a 2\n')
    expect(scraping.requests.map(({ atMs }) => atMs - scraping.firstScrapeMs)).toEqual([0, 10_000])
    expect(await scraping.series()).toEqual({})
    storage.release()
    await scraping.clock.advance(0)
    expect(await scraping.values('a')).toEqual({ a: [1] })
    storage.release()
    await scraping.clock.advance(0)
    expect(await scraping.values('a')).toEqual({ a: [1, 2] })
  })

  it('is waited for when the server stops', async () => {
    const storage = new SlowStorage()
    const scraping = new Scraping(storage)
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n')
    const stopped = scraping.manager.stop()
    storage.release()
    await stopped
    expect(await scraping.values('a')).toEqual({ a: [1] })
  })
})
