/** Start timestamps in columns of samples: made when the first one comes, gone with the series. */
import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../../storage/memory-storage.ts'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, SampleColumns } from '../../../storage/model/sample.ts'

describe('start timestamps of SampleColumns', () => {
  it('have no array as long as no sample has one', () => {
    const samples = new SampleColumns(2)
    samples.push(1000, 1, KIND_FLOAT)
    samples.setStart(0, 0)
    expect(samples.st).toHaveLength(0)
  })

  it('are 0 where they are not set, and stay when the columns grow', () => {
    const samples = new SampleColumns(2)
    samples.push(1000, 1, KIND_FLOAT)
    samples.push(2000, 2, KIND_FLOAT)
    samples.setStart(1, 500)
    for (let i = 3; i < 10; i++) samples.push(i * 1000, i, KIND_FLOAT)
    samples.setStart(8, 700)
    expect(Array.from(samples.st.subarray(0, samples.length))).toEqual([0, 500, 0, 0, 0, 0, 0, 0, 700])
  })

  it('do not stay for the next series', () => {
    const samples = new SampleColumns(2)
    samples.push(1000, 1, KIND_FLOAT)
    samples.setStart(0, 500)
    samples.clear()
    expect(samples.st).toHaveLength(0)
    samples.push(1000, 1, KIND_FLOAT)
    samples.push(2000, 1, KIND_FLOAT)
    samples.setStart(1, 1500)
    expect(Array.from(samples.st.subarray(0, 2))).toEqual([0, 1500])
  })
})

it('MemoryStorage keeps start timestamps of floats and of histograms', async () => {
  const storage = new MemoryStorage()
  const appender = storage.appender()
  const ref = appender.register(Labels.from({ __name__: 'm' }))
  appender.append(ref, 1000, 1, KIND_FLOAT)
  appender.append(ref, 2000, 2, KIND_FLOAT, 1500)
  appender.appendHistogram(ref, 3000, EMPTY_HISTOGRAM, KIND_FLOAT_HISTOGRAM, 2500)
  await appender.commit()
  const hints = { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false }
  const series = await storage.querier(0, 5000).select([new Matcher('__name__', '=', 'm')], hints)
  const samples = new SampleColumns()
  series.read(0, samples)
  expect(Array.from(samples.st.subarray(0, samples.length))).toEqual([0, 1500, 2500])
})
