// Goal: answers have upstream's bytes. Method: each shape against its text, written by hand.
import { describe, expect, it } from 'vitest'
import { ABSENT, PRESENT_FLOAT, type QueryValue, type ResultSeries } from '../../promql/value.ts'
import { ByteWriter } from '../../src/query/byte-writer.ts'
import { htmlSafeJsonString, labelJsonString, writeLabelSet } from '../../src/query/json-string.ts'
import {
  errorAnswer,
  labelSetsAnswer,
  NO_NOTICES,
  type QueryStatistics,
  queryAnswer,
  stringsAnswer,
} from '../../src/query/json-writer.ts'
import { Labels } from '../../storage/model/labels.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
const answer = (value: QueryValue) => text(queryAnswer(value, undefined, NO_NOTICES))

/** undefined stands for no sample. */
function series(labels: Record<string, string>, ...values: (number | undefined)[]): ResultSeries {
  return {
    labels: Labels.from(labels),
    values: Float64Array.from(values, (v) => v ?? 0),
    present: Uint8Array.from(values, (v) => (v === undefined ? ABSENT : PRESENT_FLOAT)),
    histograms: [],
  }
}

describe('the result of a query', () => {
  it('scalar: time and value have forms of their own', () => {
    expect(answer({ type: 'scalar', timeMs: 1500, value: 1e-7 })).toBe(
      '{"status":"success","data":{"resultType":"scalar","result":[1.5,"0.0000001"]}}',
    )
  })

  it('string: safe for HTML', () => {
    expect(answer({ type: 'string', timeMs: 1500, value: 'a<b>&"' })).toBe(
      '{"status":"success","data":{"resultType":"string","result":[1.5,"a\\u003cb\\u003e\\u0026\\""]}}',
    )
  })

  it('vector', () => {
    const vector = [series({ __name__: 'up', job: 'a<b>&"c"\\' }, 1), series({}, 1e-7)]
    expect(answer({ type: 'vector', timeMs: 1500, series: vector })).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[' +
        '{"metric":{"__name__":"up","job":"a<b>&\\"c\\"\\\\"},"value":[1.500,"1"]},' +
        '{"metric":{},"value":[1.500,"1e-07"]}]}}',
    )
  })

  it('empty vector and matrix', () => {
    expect(answer({ type: 'vector', timeMs: 0, series: [] })).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[]}}',
    )
    const steps = { startMs: 0, endMs: 0, stepMs: 1, count: 1 }
    expect(answer({ type: 'matrix', steps, series: [] })).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[]}}',
    )
  })

  it('matrix: only the steps that are there', () => {
    const matrix = [
      series({ a: '1' }, 1, undefined, Number.NaN),
      series({ a: '2' }, undefined, 0.5, undefined),
      series({ a: '3' }, Number.POSITIVE_INFINITY, -0, 1e21),
    ]
    const steps = { startMs: 999_500, endMs: 1_000_500, stepMs: 500, count: 3 }
    expect(answer({ type: 'matrix', steps, series: matrix })).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[' +
        '{"metric":{"a":"1"},"values":[[999.500,"1"],[1000.500,"NaN"]]},' +
        '{"metric":{"a":"2"},"values":[[1000,"0.5"]]},' +
        '{"metric":{"a":"3"},"values":[[999.500,"+Inf"],[1000,"-0"],[1000.500,"1e+21"]]}]}}',
    )
  })

  it('samples of a range selector: each series at its own times', () => {
    const raw = [
      {
        labels: Labels.from({ a: '1' }),
        t: Float64Array.of(1, 2000),
        v: Float64Array.of(1, 2.5),
        histograms: [],
      },
      { labels: Labels.from({ a: '2' }), t: Float64Array.of(-1), v: Float64Array.of(-3), histograms: [] },
    ]
    expect(answer({ type: 'samples', series: raw })).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[' +
        '{"metric":{"a":"1"},"values":[[0.001,"1"],[2,"2.5"]]},' +
        '{"metric":{"a":"2"},"values":[[-0.001,"-3"]]}]}}',
    )
  })

  it('is whole when it outgrows its first buffer many times', () => {
    const count = 5000
    const values = Array.from({ length: count }, (_, i) => i / 8)
    const steps = { startMs: 0, endMs: (count - 1) * 1500, stepMs: 1500, count }
    const matrix = Array.from({ length: 7 }, (_, i) => series({ name: `x${i}`.repeat(i * 100) }, ...values))
    const parsed = JSON.parse(answer({ type: 'matrix', steps, series: matrix }))
    expect(parsed.data.result).toHaveLength(7)
    for (const [i, { metric, values: samples }] of parsed.data.result.entries()) {
      expect(metric).toEqual(i === 0 ? {} : { name: `x${i}`.repeat(i * 100) })
      expect(samples).toEqual(values.map((v, s) => [s * 1.5, String(v)]))
    }
  })

  it('refuses a point that is no float, which is a bug', () => {
    const histogram = { ...series({}, 1), present: Uint8Array.of(2) }
    expect(() =>
      queryAnswer({ type: 'vector', timeMs: 0, series: [histogram] }, undefined, NO_NOTICES),
    ).toThrow()
    const steps = { startMs: 0, endMs: 0, stepMs: 1, count: 1 }
    expect(() => queryAnswer({ type: 'matrix', steps, series: [histogram] }, undefined, NO_NOTICES)).toThrow()
  })
})

describe('what goes beside a result', () => {
  const statistics: QueryStatistics = {
    timings: {
      evalTotalTime: 0.5,
      resultSortTime: 0,
      queryPreparationTime: 0.25,
      innerEvalTime: 0.0000001,
      execQueueTime: 1,
      execTotalTime: 1.5,
    },
    samples: { totalQueryableSamples: 3, samplesRead: 2, peakSamples: 1 },
  }

  it('statistics come after the result, in upstream order', () => {
    expect(text(queryAnswer({ type: 'scalar', timeMs: 0, value: 1 }, statistics, NO_NOTICES))).toBe(
      '{"status":"success","data":{"resultType":"scalar","result":[0,"1"],"stats":{"timings":{' +
        '"evalTotalTime":0.5,"resultSortTime":0,"queryPreparationTime":0.25,"innerEvalTime":1e-7,' +
        '"execQueueTime":1,"execTotalTime":1.5},' +
        '"samples":{"totalQueryableSamples":3,"samplesRead":2,"peakSamples":1}}}}',
    )
  })

  it('warnings, then infos, safe for HTML', () => {
    const notices = { warnings: ['a<b', 'two'], infos: ['i&i'] }
    expect(text(stringsAnswer([], notices))).toBe(
      '{"status":"success","data":[],"warnings":["a\\u003cb","two"],"infos":["i\\u0026i"]}',
    )
  })

  it('of more than ten the rest is counted', () => {
    const twelve = Array.from({ length: 12 }, (_, i) => `n${i}`)
    const { warnings, infos } = JSON.parse(text(stringsAnswer([], { warnings: twelve, infos: twelve })))
    expect(warnings).toEqual([...twelve.slice(0, 10), '2 more warning annotations omitted'])
    expect(infos).toEqual([...twelve.slice(0, 10), '2 more info annotations omitted'])
    const ten = JSON.parse(text(stringsAnswer([], { warnings: twelve.slice(0, 10), infos: [] })))
    expect(ten).toEqual({ status: 'success', data: [], warnings: twelve.slice(0, 10) })
  })
})

describe('other answers', () => {
  it('label sets', () => {
    const sets = [Labels.from({ __name__: 'up', a: '<' }), Labels.EMPTY]
    expect(text(labelSetsAnswer(sets, NO_NOTICES))).toBe(
      '{"status":"success","data":[{"__name__":"up","a":"<"},{}]}',
    )
  })

  it('strings', () => {
    expect(text(stringsAnswer(['a', '<', 'ü'], NO_NOTICES))).toBe(
      '{"status":"success","data":["a","\\u003c","ü"]}',
    )
  })

  it('errors, with infos but no warnings', () => {
    expect(text(errorAnswer('bad_data', 'say "<no>"'))).toBe(
      '{"status":"error","errorType":"bad_data","error":"say \\"\\u003cno\\u003e\\""}',
    )
    expect(text(errorAnswer('execution', 'x', 'do y', ['i']))).toBe(
      '{"status":"error","errorType":"execution","error":"x","hint":"do y","infos":["i"]}',
    )
  })
})

describe('strings', () => {
  // Written in the plain form of label sets, then in the form that is safe for HTML.
  it.each([
    ['', '""', '""'],
    ['plain', '"plain"', '"plain"'],
    ['"\\', '"\\"\\\\"', '"\\"\\\\"'],
    ['\n\r\t', '"\\n\\r\\t"', '"\\n\\r\\t"'],
    ['\b\f\u0000\u001f', '"\\u0008\\u000c\\u0000\\u001f"', '"\\u0008\\u000c\\u0000\\u001f"'],
    ['\u007f', '"\u007f"', '"\u007f"'],
    ['<>&', '"<>&"', '"\\u003c\\u003e\\u0026"'],
    ['\u2028\u2029', '"\u2028\u2029"', '"\\u2028\\u2029"'],
    ['grün 😀', '"grün 😀"', '"grün 😀"'],
    ['a\udcffb', '"a\ufffdb"', '"a\\ufffdb"'],
  ])('%j', (plain, asLabel, asString) => {
    expect(Buffer.from(labelJsonString(plain)).toString()).toBe(asLabel)
    expect(htmlSafeJsonString(plain)).toBe(asString)
    const writer = new ByteWriter(1)
    writeLabelSet(writer, new Labels([`n${plain}`, plain]))
    const name = `"n${asLabel.slice(1)}`
    expect(text(writer.finish())).toBe(`{${name}:${asLabel}}`)
  })
})
