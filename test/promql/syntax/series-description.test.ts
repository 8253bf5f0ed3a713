// Goal: pin the notation of series in test scripts. Method: hand-worked rows; histograms field by field.
import { describe, expect, it } from 'vitest'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { almostEqual } from '../../harness/almost-equal.ts'
import { classicToCustom } from '../../harness/histogram-series.ts'
import {
  type Point,
  parseLabels,
  parsePoints,
  parseSeries,
  parseStartOffsets,
} from '../../harness/series-description.ts'

function show(point: Point): string {
  if (point.type === 'float') return String(point.value)
  if (point.type === 'missing') return '_'
  return point.type === 'stale' ? 'stale' : `h${point.histogram.count}/${point.histogram.sum}`
}

describe('points', () => {
  it.each([
    ['', ''],
    ['1.5 -3 +2 .5 1e3 017', '1.5 -3 2 0.5 1000 15'],
    ['NaN Inf -Inf +inf', 'NaN Infinity -Infinity Infinity'],
    ['2x3', '2 2 2 2'],
    ['1x0', '1'],
    ['0x2', '0 0 0'],
    ['0+10x3', '0 10 20 30'],
    ['1-2x2', '1 -1 -3'],
    ['-1+0.5x2', '-1 -0.5 0'],
    ['0.1+0.1x2', '0.1 0.2 0.30000000000000004'],
    ['_ _x2 1 _', '_ _ _ 1 _'],
    ['1 stale 2', '1 stale 2'],
    ['{{}} {{ }}', 'h0/0 h0/0'],
    ['{{count:2 sum:3}}x2', 'h2/3 h2/3 h2/3'],
    ['{{count:2 sum:3}}+{{count:1 sum:-1}}x2', 'h2/3 h3/2 h4/1'],
    ['{{count:2 sum:3}}-{{count:1 sum:-1}}x1', 'h2/3 h1/4'],
  ])('%j', (text, points) => expect(parsePoints(text).map(show).join(' ')).toBe(points))

  it.each([
    ['1a', 'not a point: 1a'],
    ['0x1F', 'not a point: 0x1F'],
    ['stalex3', 'not a point: stalex3'],
    ['{{count}}', 'bad histogram descriptor found: count'],
    ['{{nope:1}}', 'bad histogram descriptor found: nope:1'],
    ['{{sum:1 sum:2}}', 'duplicate key "sum" in histogram'],
    ['{{sum:x}}', 'bad number for sum in histogram: x'],
    ['{{buckets:1}}', 'expected a list for buckets in histogram: 1'],
    ['{{schema:9}}', 'bad histogram schema: 9'],
    ['{{counter_reset_hint:never}}', 'bad counter_reset_hint: never'],
    ['{{schema:1}}+{{schema:0}}x1', 'error combining histograms: cannot merge from schema 0 to 1'],
  ])('refuses %j', (text, message) => expect(() => parsePoints(text)).toThrow(message))

  it('reads every field of a histogram', () => {
    const text = `{{schema:-53 count:4 sum:5.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:-1 n_buckets:[-3]
      n_offset:2 custom_values:[5 10.5] counter_reset_hint:not_reset}}`
    expect(parsePoints(text.replace(/\s+/g, ' '))).toEqual([
      {
        type: 'histogram',
        isHintGiven: true,
        histogram: {
          counterResetHint: 'not_reset',
          schema: -53,
          zeroThreshold: 0.001,
          zeroCount: 1,
          count: 4,
          sum: 5.5,
          positiveSpans: [{ offset: -1, length: 2 }],
          negativeSpans: [{ offset: 2, length: 1 }],
          positiveBuckets: [1, 2],
          negativeBuckets: [-3],
          customValues: [5, 10.5],
        },
      },
    ])
    expect(parsePoints('{{}}')).toEqual([
      { type: 'histogram', isHintGiven: false, histogram: EMPTY_HISTOGRAM },
    ])
  })

  it('brings a finer increment to the schema of its base', () => {
    const [, second] = parsePoints(
      '{{schema:0 count:2 buckets:[1 1]}}+{{schema:1 count:3 buckets:[1 1 1]}}x1',
    )
    // Bucket 0 of schema 1 stays bucket 0; 1 and 2 lie in bucket 1.
    expect(second).toMatchObject({
      histogram: { count: 5, positiveBuckets: [2, 3], positiveSpans: [{ offset: 0, length: 2 }] },
    })
  })
})

describe('series', () => {
  it.each([
    ['up 1', { __name__: 'up' }],
    ['a:b{} 1', { __name__: 'a:b' }],
    ['{a="b"} 1', { a: 'b' }],
    ['{} 1', {}],
    ['up{a="b", c=\'} x"\',} 1', { __name__: 'up', a: 'b', c: '} x"' }],
    ['{"my.metric", "my.label"="v", empty=""} 1', { __name__: 'my.metric', 'my.label': 'v' }],
    ['sum{by="x"}\t1', { __name__: 'sum', by: 'x' }],
    ['{__name__="x",a="`"} 1', { __name__: 'x', a: '`' }],
  ])('%s', (line, labels) => {
    const series = parseSeries(line)
    expect(series.labels).toEqual(Labels.from(labels as Record<string, string>))
    expect(series.points.map(show)).toEqual(['1'])
  })

  it.each([
    ['1 2', 'expected a metric name or labels'],
    ['up{a="b" 1', 'unexpected end of input inside braces'],
    ['up{a} 1', 'expected "=" after label a'],
    ['up{a=b} 1', 'expected a string after label a'],
    ['up{a="b" c="d"} 1', 'expected "," or "}" after label a'],
    ['up@st 1', 'expected a space after the labels'],
  ])('refuses %j', (line, message) => expect(() => parseSeries(line)).toThrow(message))

  it('reads labels alone', () => {
    expect(parseLabels('up{a="b"}')).toEqual(Labels.from({ __name__: 'up', a: 'b' }))
    expect(() => parseLabels('up{} x')).toThrow('unexpected identifier "x" in label set')
  })
})

describe('start timestamps', () => {
  it.each([
    ['-30s', [-30_000]],
    ['_ 0s _x2', [null, 0, null, null]],
    ['-1mx2', [-60_000, -60_000, -60_000]],
    ['-1m-30sx2', [-60_000, -90_000, -120_000]],
    ['-1m+30sx1 *x1', [-60_000, -30_000, -30_000, -30_000]],
    ['1h30m500ms', [5_400_500]],
  ])('%s', (text, offsets) => expect(parseStartOffsets(text)).toEqual(offsets))

  it.each(['5', '1m+1m', 'x3', '-1mx'])('refuses %s', (text) =>
    expect(() => parseStartOffsets(text)).toThrow(),
  )
})

describe('classic histograms as custom buckets', () => {
  const row = (labels: Record<string, string>, ...values: number[]) => ({
    labels: Labels.from(labels),
    samples: values.map((v, i) => ({ t: i * 1000, v })),
  })

  it('groups series by labels but le, and takes differences of counts', () => {
    const made = classicToCustom([
      row({ __name__: 'h_bucket', a: 'b', le: '10' }, 3, 4),
      row({ __name__: 'h_bucket', a: 'b', le: '1' }, 1, 2),
      row({ __name__: 'h_bucket', a: 'b', le: '+Inf' }, 5, 7),
      row({ __name__: 'h_sum', a: 'b' }, 20, 30),
      row({ __name__: 'other' }, 1),
    ])
    expect(made).toHaveLength(1)
    expect(made[0].labels).toEqual(Labels.from({ __name__: 'h', a: 'b' }))
    expect(made[0].samples.map(({ t }) => t)).toEqual([0, 1000])
    expect(made[0].samples[1].histogram).toMatchObject({
      schema: -53,
      count: 7,
      sum: 30,
      customValues: [1, 10],
      positiveBuckets: [2, 2, 3],
    })
  })

  it('refuses counts that fall', () => {
    const falling = [row({ __name__: 'h_bucket', le: '1' }, 5), row({ __name__: 'h_count' }, 3)]
    expect(() => classicToCustom(falling)).toThrow('not cumulative')
  })
})

describe('almostEqual', () => {
  it.each([
    [1, 1.0000009, true],
    [1, 1.00001, false],
    [0, 1e-20, false],
    [0, 1e-315, true],
    [Number.NaN, Number.NaN, true],
    [Number.NaN, 1, false],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, true],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, false],
    [1e308, 1e308, true],
    [-1, 1, false],
  ])('%d and %d', (a, b, want) => expect(almostEqual(a, b)).toBe(want))
})
