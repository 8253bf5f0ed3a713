// Goal: what is scraped, by which URL and with which labels (reference §3.3). Method: one rule a row.
import { describe, expect, it } from 'vitest'
import type { ScrapeConfig } from '../../src/config/model.ts'
import { makeRelabelRule } from '../../src/relabel/build.ts'
import { targetsOfGroup } from '../../src/scrape/target.ts'
import { group, job } from './fixture.ts'

const rule = (fields: Parameters<typeof makeRelabelRule>[0]) => makeRelabelRule(fields, 'utf8')
const set = (targetLabel: string, replacement: string) => rule({ targetLabel, replacement })

function found(config: Partial<ScrapeConfig>, address = 'h:1', labels: Record<string, string> = {}) {
  return targetsOfGroup({ ...group([address], labels), source: '3' }, job(config))
}

describe('labels before relabelling', () => {
  it("are the target's, then its group's, then what the configuration says", () => {
    const [target] = found(
      {
        params: [
          ['p', ['1', '2']],
          ['none', []],
        ],
        scrapeIntervalMs: 90_000,
        scrapeTimeoutMs: 1500,
        scrapeNativeHistograms: true,
      },
      'h:1',
      { __address__: 'ignored', zone: 'z', job: 'own', __scheme__: 'https', __param_q: '3' },
    ).targets
    expect(target.discoveredLabels.toObject()).toEqual({
      __address__: 'h:1',
      __always_scrape_classic_histograms__: 'false',
      __convert_classic_histograms_to_nhcb__: 'false',
      __metrics_path__: '/metrics',
      __param_p: '1',
      __param_q: '3',
      __scheme__: 'https',
      __scrape_interval__: '1m30s',
      __scrape_native_histograms__: 'true',
      __scrape_timeout__: '1s500ms',
      job: 'own',
      zone: 'z',
    })
    expect(target.labels.toObject()).toEqual({ instance: 'h:1', job: 'own', zone: 'z' })
    expect(target.url).toBe('https://h:1/metrics?p=1&p=2&q=3')
    expect([target.intervalMs, target.timeoutMs]).toEqual([90_000, 1500])
  })
})

describe('a target', () => {
  const rows: {
    rule: string
    config: Partial<ScrapeConfig>
    url?: string
    labels?: Record<string, string>
  }[] = [
    {
      rule: 'address from relabelling',
      config: { relabelConfigs: [set('__address__', 'x:2')] },
      url: 'http://x:2/metrics',
      labels: { instance: 'x:2', job: 'j' },
    },
    {
      rule: 'instance from relabelling',
      config: { relabelConfigs: [set('instance', 'i')] },
      labels: { instance: 'i', job: 'j' },
    },
    {
      rule: 'reserved labels are not for the series',
      config: { relabelConfigs: [set('__x', 'y'), set('__meta_x', 'y'), set('x', 'y')] },
      labels: { instance: 'h:1', job: 'j', x: 'y' },
    },
    {
      rule: 'no port is added',
      config: { relabelConfigs: [set('__address__', 'x')] },
      url: 'http://x/metrics',
      labels: { instance: 'x', job: 'j' },
    },
    {
      rule: 'scheme and path',
      config: { relabelConfigs: [set('__scheme__', 'https'), set('__metrics_path__', 'a b?c')] },
      url: 'https://h:1/a%20b%3Fc',
    },
    {
      rule: 'a parameter label replaces the first value',
      config: {
        params: [['p', ['1', '2']]],
        relabelConfigs: [set('__param_p', 'x y&z'), set('__param_a', '')],
      },
      url: 'http://h:1/metrics?p=x+y%26z&p=2',
    },
    {
      rule: 'parameters are sorted by name',
      config: {
        params: [
          ['b', ['1']],
          ['a', ['2']],
        ],
      },
      url: 'http://h:1/metrics?a=2&b=1',
    },
  ]
  it.each(rows)('$rule', ({ config, url, labels }) => {
    const { targets, failures, dropped } = found(config)
    expect({ failures, dropped }).toEqual({ failures: [], dropped: [] })
    expect(targets[0].url).toBe(url ?? 'http://h:1/metrics')
    if (labels !== undefined) expect(targets[0].labels.toObject()).toEqual(labels)
  })

  it('may be reached by a Unix socket', () => {
    const [target] = found({ relabelConfigs: [set('__unix_socket__', '/run/s')] }).targets
    expect(target.unixSocket).toBe('/run/s')
  })

  it('that relabelling drops keeps its labels from before', () => {
    const { targets, dropped } = found({
      relabelConfigs: [set('x', 'y'), rule({ sourceLabels: ['x'], regex: 'y', action: 'drop' })],
    })
    expect(targets).toEqual([])
    expect(dropped[0].get('__address__')).toBe('h:1')
    expect(dropped[0].has('x')).toBe(false)
  })
})

describe('what cannot be scraped', () => {
  const rows: [fault: string, label: string, value: string][] = [
    ['no address', '__address__', ''],
    ['"x/y" is not a valid hostname', '__address__', 'x/y'],
    ['error parsing scrape interval: not a valid duration string: "x"', '__scrape_interval__', 'x'],
    ['error parsing scrape interval: empty duration string', '__scrape_interval__', ''],
    ['scrape interval cannot be 0', '__scrape_interval__', '0s'],
    ['error parsing scrape timeout: not a valid duration string: "-1s"', '__scrape_timeout__', '-1s'],
    ['scrape timeout cannot be 0', '__scrape_timeout__', '0'],
    ['scrape timeout cannot be greater than scrape interval ("10s" > "5s")', '__scrape_interval__', '5s'],
    [
      'error parsing __scrape_native_histograms__: strconv.ParseBool: parsing "maybe": invalid syntax',
      '__scrape_native_histograms__',
      'maybe',
    ],
  ]
  it.each(rows)('%s', (fault, label, value) => {
    const { targets, failures } = found({ relabelConfigs: [set(label, value)] })
    expect(targets).toEqual([])
    expect(failures).toEqual([`instance 0 in group 3: ${fault}`])
  })
})
