// Goal: the costliest queries of the last hour are found, by each measure, in bounded memory. Method: hand-made ends of
// queries on a made-up clock.
import { describe, expect, it } from 'vitest'
import { MEASURES, type QueryEnd, SlowestQueries } from '../../src/query/slowest.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const T0 = 1_767_366_245_000

function end(text: string, overrides: Partial<QueryEnd> = {}): QueryEnd {
  const defaults = { hasFailed: false, seconds: 1, samplesRead: 10, endMs: T0 }
  return { text, kind: 'instant', headers: () => ({ for: text }), ...defaults, ...overrides }
}

describe('the slowest queries', () => {
  it('are summed up by text', () => {
    const slowest = new SlowestQueries()
    slowest.add(end('a', { seconds: 3, headers: () => ({ for: 'slow' }) }))
    slowest.add(end('a', { seconds: 1, samplesRead: 50, hasFailed: true, endMs: T0 + 30 * MINUTE }))
    slowest.add(end('a', { kind: 'range', endMs: T0 + 31 * MINUTE }))
    slowest.add(end('b', { seconds: 2 }))
    const [a, b] = slowest.top('secondsTotal', 9, T0 + 31 * MINUTE)
    expect(a).toEqual({
      text: 'a',
      kind: 'range',
      count: 3,
      failures: 1,
      secondsMax: 3,
      secondsTotal: 5,
      samplesReadMax: 50,
      samplesReadTotal: 70,
      lastMs: T0 + 31 * MINUTE,
      slowestHeaders: { for: 'slow' },
    })
    expect(b).toMatchObject({ text: 'b', count: 1 })
  })

  it('are ordered by the measure that was asked for', () => {
    const slowest = new SlowestQueries()
    slowest.add(end('slow', { seconds: 9 }))
    for (let i = 0; i < 20; i++) slowest.add(end('frequent'))
    slowest.add(end('large', { samplesRead: 180 }))
    const order = Object.fromEntries(
      MEASURES.map((measure) => [measure, slowest.top(measure, 1, T0)[0].text]),
    )
    expect(order).toEqual({
      secondsMax: 'slow',
      secondsTotal: 'frequent',
      samplesReadMax: 'large',
      samplesReadTotal: 'frequent',
      count: 'frequent',
    })
  })

  it('are those of the last hour, to ten minutes', () => {
    const slowest = new SlowestQueries()
    slowest.add(end('old'))
    slowest.add(end('new', { endMs: T0 + 40 * MINUTE }))
    // The clock was set back.
    slowest.add(end('newer', { endMs: T0 + 20 * MINUTE }))
    const texts = (nowMs: number) => slowest.top('count', 9, nowMs).map(({ text }) => text)
    expect(texts(T0 + HOUR - 1)).toEqual(['old', 'new', 'newer'])
    expect(texts(T0 + HOUR + 10 * MINUTE)).toEqual(['new', 'newer'])
    expect(texts(T0 + HOUR + 50 * MINUTE)).toEqual([])
  })

  it('are found among very many, of which few are kept', () => {
    const slowest = new SlowestQueries()
    for (let i = 0; i < 10_000; i++) {
      slowest.add(end(`cheap ${i}`, { seconds: 0.001, samplesRead: 1 }))
      if (i % 100 === 0) slowest.add(end(`slow ${i}`, { seconds: 1 + i, samplesRead: 0 }))
      if (i % 10 === 0) slowest.add(end('frequent', { seconds: 0.001, samplesRead: 1 }))
    }
    const slow = slowest.top('secondsMax', 40, T0)
    expect(slow.map(({ text }) => text)).toEqual(
      Array.from({ length: 40 }, (_, i) => `slow ${9900 - 100 * i}`),
    )
    expect(slowest.top('count', 1, T0)[0]).toMatchObject({ text: 'frequent', count: 1000 })
    expect(slowest.top('count', 20_000, T0).length).toBeLessThanOrEqual(256)
  })

  it('keep the beginning of a long text', () => {
    const slowest = new SlowestQueries()
    slowest.add(end('x'.repeat(5000)))
    slowest.add(end('x'.repeat(6000)))
    expect(slowest.top('count', 9, T0)).toMatchObject([{ text: 'x'.repeat(2000), count: 2 }])
  })
})
