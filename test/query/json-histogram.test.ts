// Goal: histograms in answers have upstream's bytes. Method: each shape against its text, written by hand.
import { describe, expect, it } from 'vitest'
import { ABSENT, PRESENT_FLOAT, PRESENT_HISTOGRAM, type QueryValue } from '../../promql/value.ts'
import { NO_NOTICES, queryAnswer } from '../../src/query/json-writer.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'

const labels = Labels.from({ a: '1' })

/** The result inside its envelope. */
function resultOf(value: QueryValue): string {
  const text = Buffer.from(queryAnswer(value, undefined, NO_NOTICES)).toString('utf8')
  return text.slice(text.indexOf('"result":') + '"result":'.length, -2)
}

function vectorOf(histogram: FloatHistogram): string {
  const series = { labels, values: new Float64Array(1), present: Uint8Array.of(PRESENT_HISTOGRAM) }
  return resultOf({ type: 'vector', timeMs: 1500, series: [{ ...series, histograms: [histogram] }] })
}

const small = { ...EMPTY_HISTOGRAM, count: 2, sum: 0.5 }
const SMALL = '{"count":"2","sum":"0.5"}'

describe('a histogram', () => {
  it('has its buckets from below, without the empty ones', () => {
    const histogram: FloatHistogram = {
      ...EMPTY_HISTOGRAM,
      count: 12,
      sum: 3.25,
      zeroThreshold: 0.001,
      zeroCount: 1,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: [2, 0, 3],
      negativeSpans: [{ offset: 1, length: 2 }],
      negativeBuckets: [2, 4],
    }
    expect(vectorOf(histogram)).toBe(
      '[{"metric":{"a":"1"},"histogram":[1.500,{"count":"12","sum":"3.25","buckets":[' +
        '[1,"-4","-2","4"],[1,"-2","-1","2"],[3,"-0.001","0.001","1"],[0,"0.5","1","2"],[0,"2","4","3"]]}]}]',
    )
  })

  it('with custom buckets reaches from -Inf to +Inf', () => {
    const histogram: FloatHistogram = {
      ...EMPTY_HISTOGRAM,
      schema: CUSTOM_SCHEMA,
      count: 6,
      sum: Number.NaN,
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [1, 1, 1, 3],
      customValues: [-5, 0, 10],
    }
    expect(vectorOf(histogram)).toBe(
      '[{"metric":{"a":"1"},"histogram":[1.500,{"count":"6","sum":"NaN","buckets":[' +
        '[3,"-Inf","-5","1"],[0,"-5","0","1"],[0,"0","10","1"],[0,"10","+Inf","3"]]}]}]',
    )
  })

  it('has buckets that end at the zero bucket, which has both its bounds', () => {
    const wide = { zeroThreshold: 1.5, positiveSpans: [{ offset: 1, length: 1 }], positiveBuckets: [2] }
    expect(vectorOf({ ...EMPTY_HISTOGRAM, ...wide })).toContain('"buckets":[[0,"1.5","2","2"]]')
    expect(vectorOf({ ...EMPTY_HISTOGRAM, zeroCount: 1 })).toContain('"buckets":[[3,"-0","0","1"]]')
    expect(vectorOf({ ...EMPTY_HISTOGRAM, ...wide, zeroCount: -1 })).not.toContain('[3,')
  })

  it('has the digits of upstream’s table of bounds', () => {
    const positive = { positiveSpans: [{ offset: 1, length: 1 }], positiveBuckets: [2] }
    expect(vectorOf({ ...EMPTY_HISTOGRAM, schema: 1, ...positive })).toContain(
      '[0,"1","1.414213562373095","2"]',
    )
  })

  it('without observations has no buckets', () => {
    expect(vectorOf(EMPTY_HISTOGRAM)).toBe(
      '[{"metric":{"a":"1"},"histogram":[1.500,{"count":"0","sum":"0"}]}]',
    )
  })
})

describe('a series with histograms', () => {
  it('in a matrix has floats and histograms apart, each only where there are any', () => {
    const steps = { startMs: 0, endMs: 2000, stepMs: 1000, count: 3 }
    const mixed = {
      labels,
      values: Float64Array.of(7, 0, 8),
      present: Uint8Array.of(PRESENT_FLOAT, PRESENT_HISTOGRAM, PRESENT_FLOAT),
      // What stands at a float is not looked at.
      histograms: [EMPTY_HISTOGRAM, small, undefined],
    }
    const pure = {
      labels,
      values: new Float64Array(3),
      present: Uint8Array.of(ABSENT, PRESENT_HISTOGRAM, PRESENT_HISTOGRAM),
      histograms: [undefined, small, small],
    }
    expect(resultOf({ type: 'matrix', steps, series: [mixed, pure] })).toBe(
      `[{"metric":{"a":"1"},"values":[[0,"7"],[2,"8"]],"histograms":[[1,${SMALL}]]},` +
        `{"metric":{"a":"1"},"histograms":[[1,${SMALL}],[2,${SMALL}]]}]`,
    )
  })

  it('as raw samples, too', () => {
    const t = Float64Array.of(1, 2000)
    const series = [
      { labels, t, v: Float64Array.of(3, 0), histograms: [undefined, small] },
      { labels, t, v: new Float64Array(2), histograms: [small, small] },
    ]
    expect(resultOf({ type: 'samples', series })).toBe(
      `[{"metric":{"a":"1"},"values":[[0.001,"3"]],"histograms":[[2,${SMALL}]]},` +
        `{"metric":{"a":"1"},"histograms":[[0.001,${SMALL}],[2,${SMALL}]]}]`,
    )
  })
})
