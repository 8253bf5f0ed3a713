// Goal: scripts see the counter reset hints that upstream's storage gives. Method: hand-worked rows of consecutive histograms.
import { expect, it } from 'vitest'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { ChunkHints } from '../harness/chunk-hints.ts'
import { custom, simple } from './histogram/random-histogram.ts'

const gauge = simple(1, 1, { counterResetHint: 'gauge' })
const reset = simple(9, 9, { counterResetHint: 'reset' })

it.each<[rule: string, points: (FloatHistogram | 'other')[], hints: string[]]>([
  [
    'the first is unknown, those after it are no resets',
    [simple(1), simple(2), simple(2)],
    ['unknown', 'not_reset', 'not_reset'],
  ],
  ['a drop begins a new chunk', [simple(2), simple(1), simple(2)], ['unknown', 'unknown', 'not_reset']],
  ['so does a hint', [simple(2), reset, simple(10)], ['unknown', 'unknown', 'not_reset']],
  ['so does a float', [simple(2), 'other', simple(3)], ['unknown', 'unknown']],
  ['so does another schema', [simple(2), simple(3, 3, { schema: 1 })], ['unknown', 'unknown']],
  ['so does another zero bucket', [simple(2), simple(3, 3, { zeroThreshold: 1 })], ['unknown', 'unknown']],
  ['so do other bounds', [custom(2), custom(3), custom(4, [7])], ['unknown', 'not_reset', 'unknown']],
  [
    'so does a bucket that is gone',
    [simple(2), simple(3, 3, { positiveSpans: [], positiveBuckets: [] })],
    ['unknown', 'unknown'],
  ],
  ['gauges stay gauges', [simple(1), gauge, gauge, simple(2)], ['unknown', 'gauge', 'gauge', 'unknown']],
])('%s', (_, points, want) => {
  const hints = new ChunkHints()
  const got = points.map((point) => (point === 'other' ? hints.other('m') : hints.histogram('m', point)))
  expect(got.filter((hint) => hint !== undefined)).toEqual(want)
  expect(hints.histogram('n', simple(5))).toBe('unknown')
})
