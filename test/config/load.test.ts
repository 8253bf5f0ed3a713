// Goal: a good file means what it means to Prometheus 3.14: defaults, inheritance, what is accepted and what
// is skipped on request. Method: small files, and the fields they decide.
import { describe, expect, it } from 'vitest'
import { type LoadOptions, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

function load(text: string, options: Partial<LoadOptions> = {}) {
  return loadConfig(text, { fileName: 'prometheus.yml', environment: {}, ...options })
}

function job(text: string, options: Partial<LoadOptions> = {}) {
  return load(text, options).scrapeConfigs[0]
}

/** Debian's stock file, comments shortened. */
const DEBIAN = `# Sample config for Prometheus.

global:
  scrape_interval:     15s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s # Evaluate rules every 15 seconds. The default is every 1 minute.
  # scrape_timeout is set to the global default (10s).

  # Attach these labels to any time series or alerts when communicating with
  # external systems (federation, remote storage, Alertmanager).
  external_labels:
      monitor: 'example'

# Alertmanager configuration
alerting:
  alertmanagers:
  - static_configs:
    - targets: ['localhost:9093']

# Load rules once and periodically evaluate them according to the global 'evaluation_interval'.
rule_files:
  # - "first_rules.yml"
  # - "second_rules.yml"

scrape_configs:
  # The job name is added as a label \`job=<job_name>\` to any timeseries scraped from this config.
  - job_name: 'prometheus'

    # Override the global default and scrape targets from this job every 5 seconds.
    scrape_interval: 5s
    scrape_timeout: 5s

    # metrics_path defaults to '/metrics'
    # scheme defaults to 'http'.

    static_configs:
      - targets: ['localhost:9090']

  - job_name: node
    static_configs:
      - targets: ['localhost:9100']
`

describe("Debian's stock file", () => {
  it('is refused for its Alertmanager', () => {
    expect(() => load(DEBIAN)).toThrow(
      'parsing YAML file prometheus.yml: prometheus.yml:14:1: alerting is not supported yet, expected it to be empty, or --config.skip-unsupported to start without it',
    )
  })

  it('loads without it when asked to', () => {
    const config = load(DEBIAN, { skipUnsupported: true })
    expect(config.unsupportedSections).toEqual(['alerting'])
    expect(config.global).toMatchObject({
      scrapeIntervalMs: 15_000,
      scrapeTimeoutMs: 10_000,
      evaluationIntervalMs: 15_000,
    })
    expect(config.global.externalLabels.toObject()).toEqual({ monitor: 'example' })
    expect(
      config.scrapeConfigs.map(({ jobName, scrapeIntervalMs, scrapeTimeoutMs, staticConfigs }) => ({
        jobName,
        scrapeIntervalMs,
        scrapeTimeoutMs,
        targets: staticConfigs.flatMap(({ targets }) => targets.map((target) => target.get('__address__'))),
      })),
    ).toEqual([
      { jobName: 'prometheus', scrapeIntervalMs: 5000, scrapeTimeoutMs: 5000, targets: ['localhost:9090'] },
      { jobName: 'node', scrapeIntervalMs: 15_000, scrapeTimeoutMs: 10_000, targets: ['localhost:9100'] },
    ])
  })
})

describe('defaults', () => {
  it.each(['', '# only a comment\n', '---\n', 'global:\nscrape_configs: []\n', 'global: {}', '~'])(
    '%j',
    (text) => {
      const config = load(text)
      expect(config.scrapeConfigs).toEqual([])
      expect(config.global).toMatchObject({
        scrapeIntervalMs: 60_000,
        scrapeTimeoutMs: 10_000,
        evaluationIntervalMs: 60_000,
        scrapeProtocols: [
          'OpenMetricsText1.0.0',
          'OpenMetricsText0.0.1',
          'PrometheusText1.0.0',
          'PrometheusText0.0.4',
        ],
        metricNameValidationScheme: 'utf8',
        metricNameEscapingScheme: 'allow-utf-8',
        sampleLimit: 0,
      })
    },
  )

  it('of a job', () => {
    expect(job('scrape_configs: [{job_name: a}]')).toMatchObject({
      jobName: 'a',
      metricsPath: '/metrics',
      scheme: 'http',
      params: [],
      honorLabels: false,
      honorTimestamps: true,
      trackTimestampsStaleness: false,
      enableCompression: true,
      followRedirects: true,
      enableHttp2: true,
      fallbackScrapeProtocol: undefined,
      relabelConfigs: [],
      metricRelabelConfigs: [],
      staticConfigs: [],
      extraScrapeMetrics: false,
    })
  })

  it('extra_scrape_metrics may be on by a flag, and off again by the file', () => {
    const on = { extraScrapeMetrics: true }
    expect(job('scrape_configs: [{job_name: a}]', on).extraScrapeMetrics).toBe(true)
    expect(job('global: {scrape_interval: 1s}\nscrape_configs: [{job_name: a}]', on).extraScrapeMetrics).toBe(
      true,
    )
    expect(job('scrape_configs: [{job_name: a, extra_scrape_metrics: false}]', on).extraScrapeMetrics).toBe(
      false,
    )
  })
})

const times = [
  { rule: 'a short interval lowers the timeout', global: 'scrape_interval: 5s', job: '', want: [5, 5] },
  {
    rule: 'a job inherits both',
    global: 'scrape_interval: 30s, scrape_timeout: 20s',
    job: '',
    want: [30, 20],
  },
  {
    rule: "a job's short interval lowers the inherited timeout",
    global: 'scrape_interval: 30s, scrape_timeout: 20s',
    job: ', scrape_interval: 15s',
    want: [15, 15],
  },
  { rule: '0 is not set', global: 'scrape_interval: 0, scrape_timeout: 0s', job: '', want: [60, 10] },
  {
    rule: 'own values win',
    global: 'scrape_interval: 30s',
    job: ', scrape_interval: 1m30s, scrape_timeout: 1m',
    want: [90, 60],
  },
]

describe('intervals', () => {
  it.each(times)('$rule', ({ global, job: own, want }) => {
    const config = job(`global: {${global}}\nscrape_configs: [{job_name: a${own}}]`)
    expect([config.scrapeIntervalMs / 1000, config.scrapeTimeoutMs / 1000]).toEqual(want)
  })
})

describe('inheritance', () => {
  it('limits come from global unless a job sets its own', () => {
    const text = `
global: {body_size_limit: 1MB, sample_limit: 2, label_limit: 3, label_name_length_limit: 4,
  label_value_length_limit: 5, target_limit: 6, keep_dropped_targets: 7}
scrape_configs: [{job_name: a, sample_limit: 20, body_size_limit: 0}]`
    expect(job(text)).toMatchObject({
      bodySizeLimit: 1_048_576,
      sampleLimit: 20,
      labelLimit: 3,
      labelNameLengthLimit: 4,
      labelValueLengthLimit: 5,
      targetLimit: 6,
      keepDroppedTargets: 7,
    })
  })

  const schemes = [
    { global: '', own: '', want: ['utf8', 'allow-utf-8'] },
    { global: 'metric_name_validation_scheme: legacy', own: '', want: ['legacy', 'underscores'] },
    { global: 'metric_name_escaping_scheme: dots', own: '', want: ['utf8', 'dots'] },
    {
      global: 'metric_name_validation_scheme: legacy',
      own: ', metric_name_validation_scheme: utf8',
      want: ['utf8', 'allow-utf-8'],
    },
    { global: '', own: ', metric_name_validation_scheme: legacy', want: ['legacy', 'underscores'] },
    {
      global: '',
      own: ', metric_name_validation_scheme: legacy, metric_name_escaping_scheme: values',
      want: ['legacy', 'values'],
    },
  ]
  it.each(schemes)('name schemes: global {$global}, job {$own}', ({ global, own, want }) => {
    const config = job(`global: {${global}}\nscrape_configs: [{job_name: a${own}}]`)
    expect([config.metricNameValidationScheme, config.metricNameEscapingScheme]).toEqual(want)
  })
})

describe('YAML as yaml.v2 reads it', () => {
  it('takes the booleans of YAML 1.1', () => {
    const config = job(
      'scrape_configs: [{job_name: a, honor_labels: yes, honor_timestamps: Off, enable_http2: n}]',
    )
    expect(config).toMatchObject({ honorLabels: true, honorTimestamps: false, enableHttp2: false })
  })

  it('takes any scalar for a string', () => {
    const config = job('scrape_configs: [{job_name: 1, params: {a: [true, 2, ~]}}]')
    expect(config.jobName).toBe('1')
    expect(config.params).toEqual([['a', ['true', '2', '']]])
  })

  it('follows anchors, aliases and merge keys; what is written out wins', () => {
    const config = load(`
scrape_configs:
- &base {job_name: a, scrape_interval: 5s, metrics_path: /x}
- <<: *base
  job_name: b
  metrics_path: /y
- {job_name: c, static_configs: &s [{targets: [h:1]}]}
- {job_name: d, static_configs: *s}
`)
    expect(config.scrapeConfigs[1]).toMatchObject({ jobName: 'b', scrapeIntervalMs: 5000, metricsPath: '/y' })
    expect(config.scrapeConfigs[3].staticConfigs).toEqual(config.scrapeConfigs[2].staticConfigs)
  })

  it('reads numbers in all their forms', () => {
    const config = load(
      'global: {sample_limit: 0x10, label_limit: 1_000, target_limit: 1e3, label_name_length_limit: 010}',
    )
    expect(config.global).toMatchObject({
      sampleLimit: 16,
      labelLimit: 1000,
      targetLimit: 1000,
      labelNameLengthLimit: 8,
    })
  })
})

describe('static_configs', () => {
  it('become groups of label sets, numbered', () => {
    const { staticConfigs } = job(`
scrape_configs:
- job_name: a
  static_configs:
  - targets: [h:1, h:2]
    labels: {env: prod, empty: '', n: 1}
  - targets: []
`)
    expect(staticConfigs.map(({ source }) => source)).toEqual(['0', '1'])
    expect(staticConfigs[0].labels.toObject()).toEqual({ env: 'prod', n: '1' })
    expect(staticConfigs[0].targets.map((target) => target.toObject())).toEqual([
      { __address__: 'h:1' },
      { __address__: 'h:2' },
    ])
  })

  it('may hold a URL where relabelling could mend it', () => {
    const { staticConfigs } = job(`
scrape_configs:
- job_name: a
  static_configs: [{targets: ['http://h/p']}]
  relabel_configs: [{target_label: x, replacement: y}]
`)
    expect(staticConfigs[0].targets[0].get('__address__')).toBe('http://h/p')
  })
})

describe('external_labels', () => {
  it('expands variables, and says which are not set', () => {
    const missing: string[] = []
    const config = load(
      `global: {external_labels: {a: "$A-\${B}", b: 'cost $$5', c: "\${NO}", d: "x$", e: "\${}y", f: "\${A"}}`,
      { environment: { A: 'one', B: 'two' }, onEmptyVariable: (name) => missing.push(name) },
    )
    expect(config.global.externalLabels.toObject()).toEqual({
      a: 'one-two',
      b: 'cost $5',
      d: 'x$',
      e: 'y',
      f: 'A',
    })
    expect(missing).toEqual(['NO'])
  })
})

describe('what is not supported yet', () => {
  it.each([
    'alerting:\n  alertmanagers:\n  - static_configs:\n    - targets:\n',
    'alerting: {alert_relabel_configs: [], alertmanagers: []}',
    'rule_files: []',
    'remote_write:',
    'storage: {tsdb: {}}',
    'tracing: ~',
    'otlp: {}',
    'runtime: {gogc: 50}',
    'global: {query_log_file: "", scrape_native_histograms: false}',
    'scrape_configs: [{job_name: a, tls_config: {insecure_skip_verify: false}, file_sd_configs: [], proxy_from_environment: no}]',
    'alerting: &a {alertmanagers: *a}',
  ])('is accepted while it says nothing: %j', (text) => {
    expect(load(text).unsupportedSections).toEqual([])
  })

  it('is listed by section when skipped; jobs lose their discovery, but not their credentials', () => {
    const config = load(
      `
global: {scrape_native_histograms: true}
remote_write: [{url: 'http://x'}]
scrape_configs:
- job_name: found
  kubernetes_sd_configs: [{role: pod}]
  convert_classic_histograms_to_nhcb: true
  static_configs: [{targets: [h:1]}]
- job_name: secret
  basic_auth: {username: u, password: p}
  static_configs: [{targets: [h:1]}]
`,
      { skipUnsupported: true },
    )
    expect(config.unsupportedSections).toEqual([
      'remote_write',
      'global.scrape_native_histograms',
      'scrape_configs[found].kubernetes_sd_configs',
      'scrape_configs[found].convert_classic_histograms_to_nhcb',
      'scrape_configs[secret].basic_auth',
      'scrape_configs[secret]',
    ])
    expect(config.scrapeConfigs.map(({ jobName }) => jobName)).toEqual(['found'])
    expect(config.scrapeConfigs[0]).toMatchObject({
      scrapeNativeHistograms: false,
      convertClassicHistogramsToNhcb: false,
    })
    expect(config.yaml).not.toContain('secret')
  })

  it('does not hide real mistakes', () => {
    expect(() => load('alerting: {x: 1}\nglobl: 1', { skipUnsupported: true })).toThrow(ConfigError)
  })
})

describe('paths', () => {
  it('are relative to the folder of the file', () => {
    const text =
      'global: {scrape_failure_log_file: fail.log, query_log_file: q.log}\nscrape_configs: [{job_name: a}, {job_name: b, scrape_failure_log_file: /abs}]'
    const config = load(text, { fileName: '/etc/prometheus/prometheus.yml' })
    expect(config.scrapeConfigs.map(({ scrapeFailureLogFile }) => scrapeFailureLogFile)).toEqual([
      '/etc/prometheus/fail.log',
      '/abs',
    ])
    expect(config.global.queryLogFile).toBe('/etc/prometheus/q.log')
    expect(config.yaml).toContain('query_log_file: /etc/prometheus/q.log')
  })
})
