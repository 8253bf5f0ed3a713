// Goal: everything that is wrong is said at once, each with its exact place. Method: a table of files with the
// lines they print, upstream's texts among them.
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { prng, testSeed } from '../harness/prng.ts'

function problems(text: string): string[] {
  try {
    loadConfig(text, { fileName: 'p.yml', environment: {} })
  } catch (error) {
    if (error instanceof ConfigError) return error.lines()
    throw error
  }
  return []
}

const DURATION = 'expected a duration such as 15s, 1m30s or 1d'
const SKIP = 'expected it to be empty, or --config.skip-unsupported to start without it'
const PROTOCOLS =
  'different ones of OpenMetricsText0.0.1, OpenMetricsText1.0.0, PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0'
const job = (rest: string) => `scrape_configs:\n- job_name: a\n  ${rest}\n`

const rows = [
  { text: 'globl: {}', want: ['1:1: field globl not found in the top level, expected global'] },
  {
    text: 'global:\n  scrape_intervall: 5s',
    want: ['2:3: field scrape_intervall not found in global, expected scrape_interval'],
  },
  {
    text: 'global:\n  job_name: a',
    want: ['2:3: field job_name not found in global, expected it in scrape_configs'],
  },
  {
    text: 'scrape_interval: 5s',
    want: ['1:1: field scrape_interval not found in the top level, expected it in global or scrape_configs'],
  },
  {
    text: job('evaluation_interval: 5s'),
    want: ['3:3: field evaluation_interval not found in scrape_configs, expected it in global'],
  },
  {
    text: job('consult_sd_configs: []'),
    want: ['3:3: field consult_sd_configs not found in scrape_configs, expected consul_sd_configs'],
  },
  {
    text: job('targets: [h:1]'),
    want: ['3:3: field targets not found in scrape_configs, expected it in static_configs'],
  },
  {
    text: job('static_configs: [{target: [h:1]}]'),
    want: ['3:21: field target not found in static_configs, expected targets'],
  },
  {
    text: job('static_configs: [{zzzzzz: 1}]'),
    want: ['3:21: field zzzzzz not found in static_configs, expected one of labels, targets'],
  },
  { text: 'global: 5', want: ['1:9: cannot unmarshal !!int `5` into global, expected a mapping'] },
  {
    text: 'scrape_configs: {}\n',
    want: ['1:17: cannot unmarshal !!map into []config.ScrapeConfig, expected a list'],
  },
  { text: '- a', want: ['1:1: cannot unmarshal !!seq into the top level, expected a mapping'] },
  {
    text: 'scrape_configs:\n- a',
    want: ['2:3: cannot unmarshal !!str `a` into scrape_configs, expected a mapping'],
  },
  { text: 'global: {scrape_interval: 5}', want: [`1:27: not a valid duration string: "5", ${DURATION}`] },
  {
    text: 'global: {scrape_interval: [5s]}',
    want: ['1:27: cannot unmarshal !!seq into string, expected a string'],
  },
  { text: 'global: {scrape_interval: ""}', want: [`1:27: empty duration string, ${DURATION}`] },
  {
    text: 'global: {scrape_interval: 1s1m}',
    want: [`1:27: not a valid duration string: "1s1m", ${DURATION}`],
  },
  {
    text: 'global: {scrape_interval: 5s, scrape_timeout: 6s}',
    want: ['1:47: global scrape timeout greater than scrape interval'],
  },
  {
    text: job('scrape_timeout: 61s'),
    want: ['3:19: scrape timeout greater than scrape interval for scrape config with job name "a"'],
  },
  {
    text: job('honor_labels: maybe'),
    want: ['3:17: cannot unmarshal !!str `maybe` into bool, expected true or false'],
  },
  {
    text: job('honor_labels: "true"'),
    want: ['3:17: cannot unmarshal !!str `true` into bool, expected true or false'],
  },
  {
    text: job('sample_limit: -1'),
    want: ['3:17: cannot unmarshal !!int `-1` into uint, expected a whole number, 0 or more'],
  },
  {
    text: job('sample_limit: 1.5'),
    want: ['3:17: cannot unmarshal !!float `1.5` into uint, expected a whole number, 0 or more'],
  },
  {
    text: job('body_size_limit: 100'),
    want: ['3:20: units: unknown unit  in 100, expected a size with a unit such as 512KB or 100MB, or 0'],
  },
  {
    text: job('body_size_limit: 1kB'),
    want: ['3:20: units: unknown unit kB in 1kB, expected a size with a unit such as 512KB or 100MB, or 0'],
  },
  {
    text: job('body_size_limit: -1MB'),
    want: ['3:20: negative size -1MB, expected a size with a unit such as 512KB or 100MB, or 0'],
  },
  { text: job('scheme: ftp'), want: ['3:11: unsupported scheme "ftp", expected one of http, https'] },
  { text: job('params: {a: b}'), want: ['3:15: cannot unmarshal !!str `b` into []string, expected a list'] },
  { text: job('params: {a: [{}]}'), want: ['3:16: cannot unmarshal !!map into string, expected a string'] },
  {
    text: 'scrape_configs:\n- scheme: http',
    want: ['2:3: job_name is empty, expected a name that no other job has'],
  },
  {
    text: 'scrape_configs:\n- job_name: ""',
    want: ['2:13: job_name is empty, expected a name that no other job has'],
  },
  {
    text: 'scrape_configs:\n- job_name: a\n- job_name: b\n- job_name: a',
    want: [
      '4:3: found multiple scrape configs with job name "a", expected another name, as line 2 has it already',
    ],
  },
  {
    text: 'scrape_configs:\n-\n- job_name: a',
    want: ['2:2: empty or null scrape config section, expected a job'],
  },
  { text: 'scrape_configs: [~]', want: ['1:18: empty or null scrape config section, expected a job'] },
  {
    text: job('static_configs: [null]'),
    want: ['3:20: empty or null section in static_configs, expected targets'],
  },
  {
    text: job('relabel_configs: [null]'),
    want: ['3:21: empty or null target relabeling rule in scrape config, expected a rule'],
  },
  {
    text: job('metric_relabel_configs: [null]'),
    want: ['3:28: empty or null metric relabeling rule in scrape config, expected a rule'],
  },
  {
    text: 'global:\n  scrape_interval: 5s\n  scrape_interval: 6s',
    want: ['3:3: field scrape_interval already set in global, expected it once, as in line 2'],
  },
  {
    text: 'global: {external_labels: {a: 1, a: 2}}',
    want: ['1:34: key "a" already set in map, expected it once, as in line 1'],
  },
  {
    text: 'global: {metric_name_validation_scheme: legacy, external_labels: {"a-b": 1}}',
    want: [
      '1:67: "a-b" is not a valid label name, expected letters, digits and _, not starting with a digit',
    ],
  },
  {
    text: 'global: {external_labels: {"": 1}}',
    want: ['1:28: "" is not a valid label name, expected a name in valid UTF-8'],
  },
  {
    text: job('static_configs: [{labels: {a: [1]}}]'),
    want: ['3:33: cannot unmarshal !!seq into string, expected a string'],
  },
  {
    text: job("static_configs: [{targets: ['h:1', 'http://h:2/x']}]"),
    want: ['3:38: "http://h:2/x" is not a valid hostname, expected host:port, without scheme and path'],
  },
  {
    text: 'global: {scrape_protocols: []}',
    want: [`1:28: scrape_protocols cannot be empty for global config, expected ${PROTOCOLS}`],
  },
  {
    text: job('scrape_protocols: [PrometheusProto, prometheusproto]'),
    want: [
      `3:21: duplicated protocol in scrape_protocols, got [PrometheusProto prometheusproto] for scrape config with job name "a", expected ${PROTOCOLS}`,
    ],
  },
  {
    text: job('scrape_protocols: [prometheusproto]'),
    want: [
      '3:21: scrape_protocols: unknown scrape protocol prometheusproto, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0] for scrape config with job name "a"',
    ],
  },
  {
    text: job('fallback_scrape_protocol: x'),
    want: [
      '3:29: invalid fallback_scrape_protocol for scrape config with job name "a": unknown scrape protocol x, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]',
    ],
  },
  {
    text: 'global: {metric_name_validation_scheme: x}',
    want: ['1:41: unrecognized ValidationScheme: "x", expected one of utf8, legacy'],
  },
  {
    text: job('metric_name_validation_scheme: legacy\n  metric_name_escaping_scheme: allow-utf-8'),
    want: ['4:32: utf8 metric names requested but validation scheme is not set to UTF8'],
  },
  {
    text: job('metric_name_escaping_scheme: x'),
    want: [
      "3:32: unknown scrape config name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got \"x\", expected one of allow-utf-8, underscores, dots, values",
    ],
  },
  { text: 'rule_files: [a.yml]', want: [`1:1: rule_files is not supported yet, ${SKIP}`] },
  {
    text: 'global: {convert_classic_histograms_to_nhcb: true}',
    want: [`1:46: global.convert_classic_histograms_to_nhcb is not supported yet, ${SKIP}`],
  },
  {
    text: job('tls_config: {ca_file: x}'),
    want: [`3:15: scrape_configs[a].tls_config is not supported yet, ${SKIP}`],
  },
  {
    text: job('dns_sd_configs: [{names: [x]}]'),
    want: [`3:19: scrape_configs[a].dns_sd_configs is not supported yet, ${SKIP}`],
  },
  {
    text: job('scrape_native_histograms: true'),
    want: [`3:29: scrape_configs[a].scrape_native_histograms is not supported yet, ${SKIP}`],
  },
  {
    text: job('relabel_configs: [{action: keep, regex: "a("}]'),
    want: [
      '3:43: error parsing regexp: missing closing ): `^(?s:a()$`, expected a regular expression in RE2 syntax',
    ],
  },
  {
    text: job('relabel_configs:\n  - action: replace'),
    want: ["4:5: relabel configuration for replace action requires 'target_label' value"],
  },
  {
    text: job('relabel_configs:\n  - {action: hashmod, target_label: a}'),
    want: ['4:5: relabel configuration for hashmod requires non-zero modulus'],
  },
  { text: job('metric_relabel_configs: [{action: bogus}]'), want: ['3:28: unknown relabel action "bogus"'] },
  { text: 'a: 1\n---\nb: 2', want: ['2:1: a second YAML document, expected one document in the file'] },
  {
    text: 'a: [1',
    want: ['1:6: yaml: flow sequence in block collection must be sufficiently indented and end with a ]'],
  },
  { text: 'global:\n\tscrape_interval: 5s', want: ['2:1: yaml: tabs are not allowed as indentation'] },
]

describe('loadConfig', () => {
  it.each(rows)('$text', ({ text, want }) => {
    expect(problems(text)).toEqual(want.map((line) => `p.yml:${line}`))
  })

  it('reports everything at once, in the order of the file', () => {
    const text = `global:
  scrape_interval: 5x
  external_labels: {"": v}
scrape_configs:
- job_name: a
  honor_labels: 3
  relabel_configs: [{action: keep, regex: "("}]
- job_name: a
  metrics_pth: /x
remote_write: [{url: x}]
`
    expect(problems(text).map((line) => line.split(', expected')[0])).toEqual([
      'p.yml:2:20: not a valid duration string: "5x"',
      'p.yml:3:21: "" is not a valid label name',
      'p.yml:6:17: cannot unmarshal !!int `3` into bool',
      'p.yml:7:43: error parsing regexp: missing closing ): `^(?s:()$`',
      'p.yml:8:3: found multiple scrape configs with job name "a"',
      'p.yml:9:3: field metrics_pth not found in scrape_configs',
      'p.yml:10:1: remote_write is not supported yet',
    ])
  })

  it('says it all in the message, too', () => {
    expect(() => loadConfig('x: 1', { fileName: 'dir/p.yml' })).toThrow(
      /^parsing YAML file dir\/p\.yml: dir\/p\.yml:1:1: field x not found in the top level, expected one of /,
    )
  })

  it('takes any file apart without falling over', () => {
    const seed = testSeed()
    const random = prng(seed)
    const pieces = [
      ' ',
      '\n',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a ',
      '*a',
      '<<: ',
      '#',
      '~',
      '|',
      '\t',
      '5s',
      'x',
      '\ud800',
    ]
    for (let run = 0; run < 1500; run++) {
      let text = SAMPLE
      for (let edits = random.int(1, 4); edits > 0; edits--) {
        const at = random.int(0, text.length)
        text = text.slice(0, at) + random.pick(pieces) + text.slice(at + random.int(0, 3))
      }
      const lines = text.split('\n').length
      const place = `SEED=${seed} run=${run}\n${text}`
      try {
        expect(loadConfig(text, { fileName: 'p.yml', environment: {} }).yaml, place).toContain('global:')
      } catch (error) {
        if (!(error instanceof ConfigError)) throw new Error(place, { cause: error })
        for (const { line, column, what } of error.problems) {
          expect(line >= 1 && line <= lines && column >= 1 && what !== '', place).toBe(true)
        }
      }
    }
  })
})

const SAMPLE = `global: &a
  scrape_interval: 15s
  external_labels: {a: "x", b: $HOME}
  body_size_limit: 10MB
scrape_configs:
- job_name: one
  params: {p: [a, b]}
  static_configs:
  - targets: ['h:1', "h:2"]
    labels: &l {x: y}
  relabel_configs:
  - source_labels: [__address__]
    regex: (.*):1
    target_label: t
- job_name: two
  static_configs: [{targets: [], labels: *l}]
`
