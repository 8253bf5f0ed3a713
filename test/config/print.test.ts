// Goal: status/config shows what upstream shows, and loads again to the same. Method: one full text as
// Prometheus 3.14 prints it, a table of scalars as yaml.v2 quotes them, and round trips of random files.
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/model.ts'
import { FlowList, field, optionalField, writeYaml } from '../../src/config/yaml-writer.ts'
import { prng, testSeed } from '../harness/prng.ts'

const load = (text: string): Config => loadConfig(text, { fileName: 'p.yml', environment: {} })

/** Without the functions of compiled expressions. */
const plain = (config: Config): unknown => JSON.parse(JSON.stringify(config))

describe('the printed configuration', () => {
  it('of an empty file', () => {
    expect(load('').yaml).toBe(`global:
  scrape_interval: 1m
  scrape_timeout: 10s
  evaluation_interval: 1m
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  scrape_native_histograms: false
  extra_scrape_metrics: false
runtime:
  gogc: 75
`)
  })

  it('of a full one', () => {
    const { yaml } = load(`
global:
  scrape_interval: 90s
  external_labels: {b: "1", a: x}
  body_size_limit: 1536KB
scrape_configs:
- job_name: "1"
  params: {z: ["yes"], a: [x y, 'a: b', '#', '*', é, "\\t"]}
  static_configs: [{targets: [a:1], labels: {b: "12", a: 'on'}}]
  relabel_configs:
  - {action: KEEP, source_labels: [a, 'b,c'], regex: "a|b"}
  - {target_label: x, replacement: "", separator: ""}
  metric_relabel_configs: [{action: hashmod, modulus: 8, target_label: h, source_labels: [a]}]
`)
    expect(yaml).toBe(`global:
  scrape_interval: 1m30s
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    a: x
    b: "1"
  body_size_limit: 1MiB512KiB
  metric_name_validation_scheme: utf8
  scrape_native_histograms: false
  extra_scrape_metrics: false
runtime:
  gogc: 75
scrape_configs:
- job_name: "1"
  honor_timestamps: true
  track_timestamps_staleness: false
  params:
    a:
    - x y
    - 'a: b'
    - '#'
    - '*'
    - é
    - "\\t"
    z:
    - "yes"
  scrape_interval: 1m30s
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  scrape_native_histograms: false
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  body_size_limit: 1MiB512KiB
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  extra_scrape_metrics: false
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [a, 'b,c']
    separator: ;
    regex: a|b
    replacement: $1
    action: keep
  - separator: ""
    regex: (.*)
    target_label: x
    replacement: ""
    action: replace
  metric_relabel_configs:
  - source_labels: [a]
    separator: ;
    regex: (.*)
    modulus: 8
    target_label: h
    replacement: $1
    action: hashmod
  static_configs:
  - targets:
    - a:1
    labels:
      a: "on"
      b: "12"
`)
  })
})

const scalars = [
  ['plain', 'plain'],
  ['', '""'],
  ['~', '"~"'],
  ['null', '"null"'],
  ['true', '"true"'],
  ['n', '"n"'],
  ['1', '"1"'],
  ['-1.5e3', '"-1.5e3"'],
  ['0x1F', '"0x1F"'],
  ['1:20', '"1:20"'],
  ['2024-01-02', '"2024-01-02"'],
  ['.inf', '".inf"'],
  ['1.2.3', '1.2.3'],
  ['a:1', 'a:1'],
  ['a: 1', "'a: 1'"],
  ['a #b', "'a #b'"],
  ['a#b', 'a#b'],
  [':x', ':x'],
  ['- x', "'- x'"],
  ['-x', '-x'],
  ['?', "'?'"],
  ['[a]', "'[a]'"],
  ['a[b]', 'a[b]'],
  ["it's", "it's"],
  ["'q", "'''q'"],
  [' lead', "' lead'"],
  ['trail ', "'trail '"],
  ['%x', "'%x'"],
  ['---', "'---'"],
  ['$1', '$1'],
  ['(.*)', '(.*)'],
  ['^a\\d+$', '^a\\d+$'],
  ['a\tb', '"a\\tb"'],
  ['a\u0000', '"a\\0"'],
  ['\u00a0', '"\\_"'],
  ['a\nb', '|-\n    a\n    b'],
  ['a\nb\n', '|\n    a\n    b'],
]

describe('writeYaml', () => {
  it.each(scalars)('writes %j as %s', (value, want) => {
    const yaml = writeYaml([field('o', [field('k', value)])])
    expect(yaml).toBe(`o:\n  k: ${want}\n`)
    expect(parse(yaml, { schema: 'failsafe' }).o.k).toBe(value)
  })

  it('writes flow lists, empty lists and nested lists', () => {
    const yaml = writeYaml([
      field('f', new FlowList(['a', 'b c', '', 'x:y'])),
      field('e', []),
      optionalField('left out', 0),
      field('list', [[field('x', 1), field('z', ['p'])], [field('x', 2)]]),
    ])
    expect(yaml).toBe(`f: [a, b c, "", 'x:y']\ne: []\nlist:\n- x: 1\n  z:\n  - p\n- x: 2\n`)
  })

  it('comes back as it was for any text', () => {
    const seed = testSeed()
    const random = prng(seed)
    const alphabet = [...' ab1.:-#\'"\\[]{},&*!|>%@`?~$=\n\t\u0001é\u00a0😀']
    for (let run = 0; run < 2000; run++) {
      const value = Array.from({ length: random.int(0, 6) }, () => random.pick(alphabet)).join('')
      const yaml = writeYaml([field('k', value), field('l', [value]), field('f', new FlowList([value]))])
      const back = parse(yaml, { schema: 'failsafe' })
      expect(back, `SEED=${seed} run=${run} ${yaml}`).toEqual({ k: value, l: [value], f: [value] })
    }
  })
})

describe('round trip', () => {
  it('gives the same configuration', () => {
    const seed = testSeed()
    const random = prng(seed)
    const duration = () =>
      `${random.int(1, 90)}${random.pick(['s', 'm', 'h', 'd', 'w'])}${random.int(1, 999)}ms`
    for (let run = 0; run < 100; run++) {
      const jobs = Array.from({ length: random.int(0, 4) }, (_, i) => ({
        job_name: `job ${i}`,
        scrape_interval: random.chance(0.5) ? undefined : duration(),
        honor_labels: random.chance(0.5),
        metrics_path: random.pick(['/metrics', '', '/a b', '/x?y: z']),
        params: random.chance(0.5) ? { b: ['1', 'true'], a: [''] } : undefined,
        sample_limit: random.int(0, 3),
        body_size_limit: random.pick(['0', '10KB', '1.5MB']),
        scrape_protocols: random.chance(0.3) ? ['PrometheusText0.0.4'] : undefined,
        metric_name_validation_scheme: random.chance(0.3) ? 'legacy' : undefined,
        relabel_configs: random.chance(0.5)
          ? [{ source_labels: ['a'], regex: random.pick(['a.*', 'x|y', '(.+)']), target_label: 'b' }]
          : undefined,
        static_configs: [{ targets: [`h${i}:1`], labels: { env: random.pick(['prod', '1', ': ']) } }],
      }))
      const global = {
        scrape_interval: duration(),
        scrape_protocols: random.chance(0.3) ? ['PrometheusProto'] : undefined,
        external_labels: { r: random.pick(['a', '2', 'x y']) },
        label_limit: random.int(0, 2),
        metric_name_escaping_scheme: random.chance(0.3) ? 'dots' : undefined,
      }
      const first = load(
        JSON.stringify({ global: random.chance(0.8) ? global : undefined, scrape_configs: jobs }),
      )
      const second = load(first.yaml)
      const place = `SEED=${seed} run=${run}`
      expect(second.yaml, place).toBe(first.yaml)
      expect(plain(second), place).toEqual(plain(first))
    }
  })
})
