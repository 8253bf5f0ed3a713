// Goal: what a new configuration changes, and what it leaves alone (reference §3.9). Method: apply after apply, and the
// requests and samples that come of it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HttpError } from '../../src/http/http-error.ts'
import { makeRelabelRule } from '../../src/relabel/build.ts'
import { Labels } from '../../storage/model/labels.ts'
import { configOf, deferred, group, job, Scraping } from './fixture.ts'

const other = (limit: number) =>
  job({ jobName: 'other', sampleLimit: limit, staticConfigs: [group(['o:1'])] })

function timesOf(scraping: Scraping, authority: string): number[] {
  return scraping.requests.filter(({ request }) => request.authority === authority).map(({ atMs }) => atMs)
}

function gapsOf(times: number[]): number[] {
  return times.slice(1).map((time, i) => time - times[i])
}

describe('a new configuration', () => {
  it('of one job costs neither the others nor itself a scrape', async () => {
    const scraping = new Scraping()
    scraping.answer('a 1\n')
    for (let limit = 0; limit < 20; limit++) {
      await scraping.manager.apply(configOf(job(), other(limit)))
      await scraping.clock.advance(3700)
    }
    for (const authority of ['t:1', 'o:1']) {
      const gaps = gapsOf(timesOf(scraping, authority))
      expect(gaps.length).toBeGreaterThanOrEqual(6)
      expect(new Set(gaps)).toEqual(new Set([10_000]))
    }
    expect(await scraping.metric('prometheus_target_scrape_pool_reloads_total')).toBe(19)
    expect(await scraping.metric('prometheus_target_scrape_pools_total')).toBe(2)
  })

  it('keeps what lines mean where it can: no series is new', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(job({ sampleLimit: 10 })))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(job({ honorLabels: true })))
    await scraping.scrape('a 1\n')
    expect(await scraping.values('a', 'scrape_series_added')).toEqual({
      a: [1, 1, 1],
      scrape_series_added: [1, 0, 1],
    })
  })

  it('ends series that it makes no more, with the next scrape', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\nb 1\n')
    const drop = makeRelabelRule({ sourceLabels: ['__name__'], regex: 'a', action: 'drop' }, 'utf8')
    await scraping.manager.apply(configOf(job({ metricRelabelConfigs: [drop] })))
    await scraping.scrape('a 2\nb 2\n')
    expect(await scraping.values('a', 'b')).toEqual({ a: [1, 'stale'], b: [1, 2] })
  })

  it('with another interval moves the same series to the new rhythm', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n', 'a 1\n')
    await scraping.manager.apply(configOf(job({ scrapeIntervalMs: 4000, scrapeTimeoutMs: 4000 })))
    await scraping.clock.advance(60_000)
    const points = Object.values(await scraping.series())[0]
    expect(points.every(([, value]) => value === 1)).toBe(true)
    expect(new Set(gapsOf(timesOf(scraping, 't:1').slice(2)))).toEqual(new Set([4000]))
    expect(scraping.manager.activeTargets()[0]).toMatchObject({ scrapeIntervalMs: 4000, health: 'up' })
  })

  it('waits for the scrape under way', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    const late = deferred()
    scraping.answer(late.answer)
    await scraping.clock.advance(10_000)
    await scraping.manager.apply(configOf(job({ sampleLimit: 1 })))
    late.resolve('a 1\nb 1\n')
    await scraping.clock.advance(0)
    await scraping.scrape('a 1\nb 1\n')
    expect(await scraping.values('up')).toEqual({ up: [1, 0] })
  })

  it('with other external labels moves only what begins after it', async () => {
    const scraping = new Scraping()
    scraping.answer('a 1\n')
    const config = configOf(job())
    await scraping.manager.apply(config)
    await scraping.clock.advance(20_000)
    const global = { ...config.global, externalLabels: Labels.from({ replica: 'b' }) }
    await scraping.manager.apply({ ...config, global })
    await scraping.clock.advance(20_000)
    expect(new Set(gapsOf(timesOf(scraping, 't:1')))).toEqual(new Set([10_000]))
  })
})

describe('target_limit', () => {
  it('fails all targets of the pool, and lets them go on when it is lifted', async () => {
    const scraping = new Scraping()
    const staticConfigs = [group(['t:1', 't:2'])]
    await scraping.manager.apply(configOf(job({ staticConfigs })))
    await scraping.scrape('a 1\n')
    await scraping.manager.apply(configOf(job({ staticConfigs, targetLimit: 1 })))
    await scraping.scrape('a 1\n')
    const text = 'target_limit exceeded (number of targets: 2, limit: 1)'
    expect(scraping.manager.activeTargets().map(({ lastError }) => lastError)).toEqual([text, text])
    expect(scraping.requests.length).toBe(2)
    await scraping.manager.apply(configOf(job({ staticConfigs })))
    await scraping.scrape('a 1\n')
    for (const points of Object.values(await scraping.series())) {
      expect(points.map(([, value]) => value)).toEqual([1, 'stale', 1])
    }
    for (const points of Object.values(await scraping.series(['up']))) {
      expect(points.map(([, value]) => value)).toEqual([1, 0, 1])
    }
    expect(await scraping.metric('prometheus_target_scrape_pool_exceeded_target_limit_total')).toBe(1)
  })
})

describe('status', () => {
  it('shows pools, targets and what was dropped', async () => {
    const scraping = new Scraping()
    const drop = makeRelabelRule({ sourceLabels: ['__address__'], regex: 'd.*', action: 'drop' }, 'utf8')
    const config = {
      keepDroppedTargets: 1,
      relabelConfigs: [drop],
      // The same target twice is one.
      staticConfigs: [group(['t:2', 't:1', 'd:1', 'd:2']), { ...group(['t:1', 'x/y']), source: '1' }],
    }
    await scraping.manager.apply(configOf(job(config), other(0)))
    const { manager } = scraping
    expect(manager.pools()).toEqual(['j', 'other'])
    const urls = (pool?: string): string[] => manager.activeTargets(pool).map(({ scrapeUrl }) => scrapeUrl)
    expect(urls()).toEqual(['http://t:1/metrics', 'http://t:2/metrics', 'http://o:1/metrics'])
    expect(urls('other')).toEqual(['http://o:1/metrics'])
    expect(urls('nosuch')).toEqual([])
    expect(
      manager.droppedTargets().map(({ discoveredLabels }) => discoveredLabels.get('__address__')),
    ).toEqual(['d:1'])
    expect(manager.droppedCounts()).toEqual(
      new Map([
        ['j', 2],
        ['other', 0],
      ]),
    )
    expect(manager.activeTargets('other')[0]).toMatchObject({
      scrapePool: 'other',
      health: 'unknown',
      lastScrapeMs: 0,
      lastError: '',
      scrapeIntervalMs: 10_000,
      scrapeTimeoutMs: 10_000,
    })
    expect(await scraping.metric('prometheus_target_sync_failed_total')).toBe(1)
    expect(scraping.logged).toContainEqual(
      expect.objectContaining({
        msg: 'Creating target failed',
        err: 'instance 1 in group 1: "x/y" is not a valid hostname',
      }),
    )
    const text = await scraping.registry.metrics()
    expect(text).toContain('prometheus_target_scrape_pool_targets{scrape_job="j"} 2')
    expect(text).toContain('prometheus_sd_discovered_targets{name="scrape",config="j"} 6')
    await manager.apply(configOf(other(0)))
    expect(await scraping.registry.metrics()).not.toContain('"j"')
  })
})

describe('metadata', () => {
  const typed = '# HELP a Help of\\n a.\n# TYPE a counter\n# TYPE u untyped\n# HELP h Only help.\na 1\n'

  function metadata(scraping: Scraping): Record<string, unknown> {
    const [{ metrics }] = scraping.manager.metadata()
    return Object.fromEntries([...metrics].map(([name, { type, help, unit }]) => [name, [type, help, unit]]))
  }

  it('is what the last lines said, and goes 10 scrapes after its metric', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape(typed)
    const all = {
      a: ['counter', 'Help of\n a.', ''],
      u: ['unknown', '', ''],
      h: ['unknown', 'Only help.', ''],
    }
    expect(metadata(scraping)).toEqual(all)
    expect(await scraping.metric('prometheus_target_metadata_cache_entries')).toBe(3)
    for (let i = 0; i < 10; i++) await scraping.scrape('# TYPE a gauge\na 1\n')
    expect(metadata(scraping)).toEqual({ ...all, a: ['gauge', 'Help of\n a.', ''] })
    await scraping.scrape('# TYPE a gauge\na 1\n')
    expect(metadata(scraping)).toEqual({ a: ['gauge', 'Help of\n a.', ''] })
  })

  it('outlives scrapes that fail', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape(typed)
    for (let i = 0; i < 15; i++) await scraping.scrape(new HttpError('TRANSPORT', 'down'))
    expect(Object.keys(metadata(scraping))).toEqual(['a', 'u', 'h'])
  })
})

describe('scrape_failure_log_file', () => {
  it('gets a JSON line for each request that failed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'narthex-scrape-'))
    const file = join(folder, 'failures.log')
    try {
      const scraping = new Scraping()
      await scraping.manager.apply(configOf(job({ scrapeFailureLogFile: file })))
      const down = new HttpError('TRANSPORT', 'Get "http://t:1/metrics": EOF')
      await scraping.scrape(down, 'a 1\n', 'a oops\n', down)
      await scraping.manager.stop()
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line))).toEqual(
        Array.from({ length: 2 }, () => ({
          time: expect.stringMatching(/^\d{4}-.*Z$/),
          level: 'ERROR',
          msg: 'Get "http://t:1/metrics": EOF',
          job_name: 'j',
          target: 'http://t:1/metrics',
        })),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
