// Goal: what a page becomes (reference §4.3, §4.4): labels, timestamps, limits, duplicates. Method: one rule a row, pages
// served to a whole scrape manager on memory storage.
import { describe, expect, it } from 'vitest'
import type { ScrapeConfig } from '../../src/config/model.ts'
import { makeRelabelRule } from '../../src/relabel/build.ts'
import { StorageError } from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { configOf, group, job, Scraping, START_MS } from './fixture.ts'

async function scraped(config: Partial<ScrapeConfig>, ...pages: string[]): Promise<Scraping> {
  const scraping = new Scraping()
  await scraping.manager.apply(configOf(job(config)))
  await scraping.scrape(...pages)
  return scraping
}

function lastError(scraping: Scraping): string {
  return scraping.manager.activeTargets()[0].lastError
}

const rule = (fields: Parameters<typeof makeRelabelRule>[0]) => makeRelabelRule(fields, 'utf8')

describe('labels', () => {
  const shared = { l: 'target', both: 'target' }
  const rows: { rule: string; config?: Partial<ScrapeConfig>; page: string; want: string[] }[] = [
    {
      rule: "the target's labels are added",
      page: 'a{x="1"} 1\n',
      want: ['{__name__="a", both="target", instance="t:1", job="j", l="target", x="1"}'],
    },
    {
      rule: 'a conflicting label is kept as exported_',
      page: 'a{l="own"} 1\n',
      want: ['{__name__="a", both="target", exported_l="own", instance="t:1", job="j", l="target"}'],
    },
    {
      rule: 'the prefix is repeated until the name is free',
      page: 'a{l="own",exported_l="other"} 1\n',
      want: [
        '{__name__="a", both="target", exported_exported_l="own", exported_l="other", instance="t:1", job="j", l="target"}',
      ],
    },
    {
      rule: 'shorter names move first',
      config: { staticConfigs: [group(['t:1'], { l: 'target', exported_l: 'target' })] },
      page: 'a{l="own",exported_l="other"} 1\n',
      want: [
        '{__name__="a", exported_exported_exported_l="other", exported_exported_l="own", exported_l="target", instance="t:1", job="j", l="target"}',
      ],
    },
    {
      rule: 'an empty label is none, so it does not conflict',
      page: 'a{l="",x=""} 1\n',
      want: ['{__name__="a", both="target", instance="t:1", job="j", l="target"}'],
    },
    {
      rule: 'honor_labels: the exposed label wins',
      config: { honorLabels: true },
      page: 'a{l="own",job="mine"} 1\n',
      want: ['{__name__="a", both="target", instance="t:1", job="mine", l="own"}'],
    },
    {
      rule: 'honor_labels: an exposed empty label takes away the target label',
      config: { honorLabels: true },
      page: 'a{l="",instance=""} 1\n',
      want: ['{__name__="a", both="target", job="j"}'],
    },
    {
      rule: 'metric relabelling sees the merged labels',
      config: {
        metricRelabelConfigs: [
          rule({ sourceLabels: ['l', 'x'], targetLabel: 'joined' }),
          rule({ regex: 'both|l', action: 'labeldrop' }),
        ],
      },
      page: 'a{x="1"} 1\n',
      want: ['{__name__="a", instance="t:1", job="j", joined="target;1", x="1"}'],
    },
    {
      rule: 'a repeated label is fine where relabelling drops it',
      config: { metricRelabelConfigs: [rule({ regex: 'x|both|l', action: 'labeldrop' })] },
      page: 'a{x="1",x="2"} 1\n',
      want: ['{__name__="a", instance="t:1", job="j"}'],
    },
    {
      rule: 'a repeated label is fine where relabelling sets it, to the same value too',
      config: { metricRelabelConfigs: [rule({ targetLabel: 'x', replacement: '1' })] },
      page: 'a{x="1",x="2"} 1\n',
      want: ['{__name__="a", both="target", instance="t:1", job="j", l="target", x="1"}'],
    },
    {
      rule: 'an empty value takes away all labels of its name',
      page: 'a{x="",x="1"} 1\nb{x="1",x="",y="2",y="2",y=""} 1\n',
      want: [
        '{__name__="a", both="target", instance="t:1", job="j", l="target"}',
        '{__name__="b", both="target", instance="t:1", job="j", l="target"}',
      ],
    },
    {
      rule: 'of a label that the target has, the first value is exported, empty or not',
      page: 'a{l="1",l=""} 1\nb{l="",l="1"} 1\n',
      want: [
        '{__name__="a", both="target", exported_l="1", instance="t:1", job="j", l="target"}',
        '{__name__="b", both="target", instance="t:1", job="j", l="target"}',
      ],
    },
    {
      rule: 'a repeated label is fine where the target has it',
      page: 'a{l="1",l="2"} 1\n',
      want: ['{__name__="a", both="target", exported_l="1", instance="t:1", job="j", l="target"}'],
    },
  ]
  it.each(rows)('$rule', async ({ config, page, want }) => {
    const scraping = await scraped({ staticConfigs: [group(['t:1'], shared)], ...config }, page)
    expect(lastError(scraping)).toBe('')
    expect(Object.keys(await scraping.series())).toEqual(want)
  })

  it('relabelled to another series, and dropped, also from the second scrape on', async () => {
    const metricRelabelConfigs = [
      rule({ sourceLabels: ['__name__'], regex: 'old', replacement: 'new', targetLabel: '__name__' }),
      rule({ sourceLabels: ['__name__'], regex: 'bad.*', action: 'drop' }),
    ]
    const scraping = await scraped({ metricRelabelConfigs }, 'old 1\nbad 1\n', 'old 2\nbad 2\n')
    const report = ['scrape_samples_scraped', 'scrape_samples_post_metric_relabeling', 'scrape_series_added']
    expect(await scraping.values('new', 'old', 'bad', ...report)).toEqual({
      new: [1, 2],
      scrape_samples_scraped: [2, 2],
      scrape_samples_post_metric_relabeling: [1, 1],
      scrape_series_added: [1, 0],
    })
  })
})

describe('a line that fails the whole page', () => {
  const long = 'x'.repeat(60)
  const rows: {
    rule: string
    config: Partial<ScrapeConfig>
    page: string
    error: string
    scraped: number
    post: number
  }[] = [
    {
      rule: 'a bad value',
      config: {},
      page: 'a 1\nb oops\nc 1\n',
      error: 'unsupported character in float while parsing: "b oops"',
      scraped: 1,
      post: 1,
    },
    {
      rule: 'no metric name after relabelling',
      config: { metricRelabelConfigs: [rule({ regex: '__name__', action: 'labeldrop' })] },
      page: 'a 1\n',
      error: 'missing metric name (__name__ label)',
      scraped: 1,
      post: 0,
    },
    {
      rule: 'a metric name that the legacy scheme does not know',
      config: { metricNameValidationScheme: 'legacy' },
      page: 'a 1\n{"b.c"} 1\n',
      error: 'invalid metric name or label names: {__name__="b.c", instance="t:1", job="j"}',
      scraped: 2,
      post: 1,
    },
    {
      rule: 'a label name that the legacy scheme does not know',
      config: { metricNameValidationScheme: 'legacy' },
      page: 'a{"b.c"="1"} 1\n',
      error: 'invalid metric name or label names: {__name__="a", "b.c"="1", instance="t:1", job="j"}',
      scraped: 1,
      post: 0,
    },
    {
      rule: 'a repeated label',
      config: {},
      page: 'a{x="1",x="2"} 1\n',
      error: 'label name "x" is not unique: invalid sample',
      scraped: 1,
      post: 0,
    },
    {
      rule: 'several repeated labels: the first name in order',
      config: {},
      page: 'a{z="1",z="2",y="1",y="2"} 1\n',
      error: 'label name "y" is not unique: invalid sample',
      scraped: 1,
      post: 0,
    },
    {
      rule: 'label_limit, which counts __name__ and the target labels',
      config: { labelLimit: 4 },
      page: 'a{x="1"} 1\nb{x="1",y="2"} 1\nc 1\n',
      error: 'label_limit exceeded (metric: b, number of labels: 5, limit: 4)',
      scraped: 2,
      post: 1,
    },
    {
      rule: 'label_name_length_limit, in bytes',
      config: { labelNameLengthLimit: 8 },
      page: 'a{"ääää"="1"} 1\nb{äääää="1"} 1\n'.replace('b{äääää', 'b{"äääää"'),
      error: 'label_name_length_limit exceeded (metric: b, label name: äääää, length: 10, limit: 8)',
      scraped: 2,
      post: 1,
    },
    {
      rule: 'label_value_length_limit, with 50 characters shown',
      config: { labelValueLengthLimit: 59 },
      page: `a{x="${long}"} 1\n`,
      error: `label_value_length_limit exceeded (metric: a, label name: x, value: "${long.slice(0, 50)}", length: 60, limit: 59)`,
      scraped: 1,
      post: 0,
    },
    {
      rule: 'sample_limit: the rest is still counted',
      config: { sampleLimit: 2 },
      page: 'a 1\nb 1\nc 1\nd 1\n',
      error: 'sample limit exceeded',
      scraped: 4,
      post: 4,
    },
  ]
  it.each(rows)('$rule', async ({ config, page, error, scraped: samples, post }) => {
    const scraping = await scraped(config, page)
    expect(lastError(scraping)).toBe(error)
    expect(await scraping.series()).toEqual({})
    expect(
      await scraping.values('up', 'scrape_samples_scraped', 'scrape_samples_post_metric_relabeling'),
    ).toEqual({
      up: [0],
      scrape_samples_scraped: [samples],
      scrape_samples_post_metric_relabeling: [post],
    })
    expect(scraping.manager.activeTargets()[0].health).toBe('down')
  })

  it('is logged with its number and beginning', async () => {
    const scraping = await scraped({}, 'a 1\n\nb oops\n')
    expect(scraping.logged).toContainEqual(
      expect.objectContaining({
        level: 'DEBUG',
        msg: 'Append failed',
        line: 3,
        excerpt: 'b oops',
        scrape_pool: 'j',
      }),
    )
  })

  it('counts limits', async () => {
    const limits = {
      prometheus_target_scrapes_exceeded_sample_limit_total: { sampleLimit: 1 },
      prometheus_target_scrape_pool_exceeded_label_limits_total: { labelLimit: 3 },
    }
    for (const [name, config] of Object.entries(limits)) {
      const scraping = await scraped(config, 'a{x="1"} 1\nb 1\n')
      expect(await scraping.metric(name), name).toBe(1)
    }
  })
})

describe('limits that are kept', () => {
  it('sample_limit does not count what relabelling drops, nor repeated lines', async () => {
    const metricRelabelConfigs = [rule({ sourceLabels: ['__name__'], regex: 'b', action: 'drop' })]
    const scraping = await scraped({ sampleLimit: 2, metricRelabelConfigs }, 'a 1\nb 1\nb 2\na 1\nc 1\n')
    expect(await scraping.values('up', 'a', 'c')).toEqual({ up: [1], a: [1], c: [1] })
  })

  it('sample_limit does not count stale markers', async () => {
    const scraping = await scraped({ sampleLimit: 2 }, 'a 1\nb 1\n', 'c 1\nd 1\n')
    expect(await scraping.values('up', 'a', 'c')).toEqual({ up: [1, 1], a: [1, 'stale'], c: [1] })
  })
})

describe('timestamps', () => {
  const at = (ms: number): string => String(START_MS + ms)

  it('are those of the page with honor_timestamps, and of the scrape without', async () => {
    const page = `a 1 ${at(-5000)}\nb 2\n`
    expect(await (await scraped({}, page)).series()).toEqual({
      '{__name__="a", instance="t:1", job="j"}': [[expect.any(Number), 1]],
      '{__name__="b", instance="t:1", job="j"}': [[0, 2]],
    })
    const honored = await scraped({}, page)
    const [[[first]]] = Object.values(await honored.series())
    expect(first + honored.firstScrapeMs).toBe(START_MS - 5000)
    const ignored = await scraped({ honorTimestamps: false }, page)
    expect(Object.values(await ignored.series())).toEqual([[[0, 1]], [[0, 2]]])
  })

  it('more than 10 minutes ahead are out of bounds', async () => {
    const scraping = new Scraping()
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('x 1\n')
    const nextMs = scraping.firstScrapeMs + 10_000
    await scraping.scrape(`a 1 ${nextMs + 600_000}\nb 1 ${nextMs + 600_001}\n`)
    expect(await scraping.values('a', 'b', 'up')).toEqual({ a: [1], up: [1, 1] })
    expect(await scraping.metric('prometheus_target_scrapes_sample_out_of_bounds_total')).toBe(1)
  })

  it('samples that storage refuses are counted and logged once, and the scrape succeeds', async () => {
    const scraping = await scraped(
      {},
      `a 1 ${at(1000)}\nb 1 ${at(1000)}\nc 1 ${at(1000)}\n`,
      `a 2 ${at(1000)}\nb 2 ${at(1000)}\nc 1 ${at(500)}\nd 1 ${at(-3_700_000)}\n`,
    )
    expect(await scraping.values('up', 'a', 'b', 'c', 'd')).toEqual({ up: [1, 1], a: [1], b: [1], c: [1] })
    expect(await scraping.metric('prometheus_target_scrapes_sample_duplicate_timestamp_total')).toBe(2)
    expect(await scraping.metric('prometheus_target_scrapes_sample_out_of_order_total')).toBe(1)
    expect(await scraping.metric('prometheus_target_scrapes_sample_out_of_bounds_total')).toBe(1)
    const warned = scraping.logged
      .filter(({ level }) => level === 'WARN')
      .map(({ msg, num_dropped }) => [msg, num_dropped])
    expect(warned).toEqual([
      ['Error on ingesting out-of-order samples', 1],
      ['Error on ingesting samples with different value but same timestamp', 2],
      ['Error on ingesting samples that are too old or are too far into the future', 1],
    ])
    expect(await scraping.values('scrape_samples_post_metric_relabeling')).toEqual({
      scrape_samples_post_metric_relabeling: [3, 4],
    })
  })
})

describe('the same line twice', () => {
  it('without timestamps: the first wins, the second is a duplicate whatever its value', async () => {
    const scraping = await scraped({}, 'a 1\na 2\na 1\n', 'a 3\na 4\n')
    expect(await scraping.values('a', 'up', 'scrape_samples_scraped', 'scrape_series_added')).toEqual({
      a: [1, 3],
      up: [1, 1],
      scrape_samples_scraped: [3, 2],
      scrape_series_added: [1, 0],
    })
    expect(await scraping.metric('prometheus_target_scrapes_sample_duplicate_timestamp_total')).toBe(3)
  })

  it('with timestamps: both are samples', async () => {
    const scraping = await scraped({}, `a 1 ${START_MS}\na 2 ${START_MS + 1}\n`)
    expect(await scraping.values('a')).toEqual({ a: [1, 2] })
  })
})

describe('the type of a page', () => {
  it('blank fails, unless there is a fallback', async () => {
    const text =
      'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target'
    for (const [fallbackScrapeProtocol, error] of [
      [undefined, text],
      ['PrometheusText0.0.4', ''],
    ] as const) {
      const scraping = new Scraping()
      scraping.contentType = ''
      await scraping.manager.apply(configOf(job({ fallbackScrapeProtocol })))
      await scraping.scrape('a 1\n')
      expect(lastError(scraping)).toBe(error)
      expect(await scraping.values('a', 'scrape_samples_scraped')).toEqual(
        error === '' ? { a: [1], scrape_samples_scraped: [1] } : { scrape_samples_scraped: [0] },
      )
    }
  })

  it('unknown fails, but an empty page is not looked at', async () => {
    const scraping = new Scraping()
    scraping.contentType = 'text/html'
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\n', '')
    expect(await scraping.values('up')).toEqual({ up: [0, 1] })
  })

  it('asks for text only, and says how long it waits', async () => {
    const scraping = await scraped({ scrapeTimeoutMs: 1500 }, 'a 1\n')
    expect(scraping.requests[0].request.headers).toEqual({
      accept: 'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4',
      'accept-encoding': 'gzip',
      'user-agent': 'Narthex/test',
      'x-prometheus-scrape-timeout-seconds': '1.5',
    })
    const plain = await scraped({ enableCompression: false }, 'a 1\n')
    expect(plain.requests[0].request.headers['accept-encoding']).toBe('identity')
  })
})

describe('memory that is used up', () => {
  /** Takes the report, and of the page only the series `a`. */
  class FullStorage extends MemoryStorage {
    override appender(): Appender {
      const appender = super.appender()
      return {
        ...appender,
        register: (labels) => {
          if (labels.get('__name__').startsWith('new')) throw new StorageError('NO_MEMORY', 'no memory')
          return appender.register(labels)
        },
      }
    }
  }

  it('leaves out new series and counts them, and the scrape stays up', async () => {
    const scraping = new Scraping(new FullStorage())
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\nnew1 1\nnew2 1\n', 'a 2\nnew1 1\n')
    expect(await scraping.values('a', 'up', 'new1')).toEqual({ a: [1, 2], up: [1, 1] })
    expect(await scraping.metric('narthex_scrape_refused_samples_total')).toBe(3)
  })
})

describe('a bug on the way', () => {
  class BrokenStorage extends MemoryStorage {
    isBroken = false

    override appender(): Appender {
      const appender = super.appender()
      return {
        ...appender,
        append: (ref, t, v, kind) => {
          if (this.isBroken) throw new TypeError('x is not a function')
          return appender.append(ref, t, v, kind)
        },
        appendRow: (refs, v, count, t, outcomes) => {
          if (this.isBroken) throw new TypeError('x is not a function')
          return appender.appendRow(refs, v, count, t, outcomes)
        },
      }
    }
  }

  it('costs that scrape, is logged with its stack, and the next one is whole', async () => {
    const storage = new BrokenStorage()
    const scraping = new Scraping(storage)
    await scraping.manager.apply(configOf(job()))
    await scraping.scrape('a 1\nb 1\n')
    storage.isBroken = true
    await scraping.scrape('a 2\nb 2\n')
    expect(scraping.manager.activeTargets()[0]).toMatchObject({
      health: 'down',
      lastError: 'x is not a function',
    })
    expect(scraping.logged).toContainEqual(
      expect.objectContaining({
        level: 'ERROR',
        msg: 'Scrape broke off',
        stack: expect.stringContaining('TypeError'),
      }),
    )
    storage.isBroken = false
    await scraping.scrape('a 3\nb 3\n')
    expect(await scraping.values('a', 'b', 'up')).toEqual({ a: [1, 3], b: [1, 3], up: [1, 1] })
    expect(await scraping.metric('prometheus_target_scrapes_sample_duplicate_timestamp_total')).toBe(0)
  })
})
