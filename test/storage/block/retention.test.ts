// Goal: exactly the blocks go that upstream would drop. Method: hand-worked rows, one rule each.
import { describe, expect, it } from 'vitest'
import { expiredBlocks, type Retention, retentionBytesMax } from '../../../storage/block/retention.ts'

const HOUR = 3_600_000
const retention = (some: Partial<Retention>): Retention => ({
  timeMs: 0,
  sizeBytes: 0,
  percentage: 0,
  ...some,
})
/** Blocks 1 … n that end at these hours, 100 bytes each. */
const ending = (...hours: number[]) => hours.map((h, i) => ({ id: i + 1, maxt: h * HOUR, bytes: 100 }))

describe('expiredBlocks', () => {
  const rows = [
    { rule: 'no bound keeps all', at: [0, 1e6], time: 0, size: 0, other: 1e9, want: [[], []] },
    { rule: 'no blocks', at: [], time: 1, size: 1, other: 9, want: [[], []] },
    { rule: 'as old as the bound goes', at: [2, 3, 12], time: 10, size: 0, other: 0, want: [[1], []] },
    {
      rule: 'time is against the newest block',
      at: [5, 1, 3],
      time: 2,
      size: 0,
      other: 0,
      want: [[2, 3], []],
    },
    { rule: 'the newest never goes by time', at: [7], time: 1e-9, size: 0, other: 0, want: [[], []] },
    { rule: 'the newest that fit stay', at: [1, 2, 3], time: 0, size: 200, other: 0, want: [[], [1]] },
    { rule: 'the log counts', at: [1, 2, 3], time: 0, size: 200, other: 1, want: [[], [1, 2]] },
    {
      rule: 'a log over the bound leaves none',
      at: [1, 2],
      time: 0,
      size: 50,
      other: 60,
      want: [[], [1, 2]],
    },
    { rule: 'both bounds', at: [1, 2, 3, 4], time: 3, size: 250, other: 0, want: [[1], [2]] },
    { rule: 'of one end the later one stays', at: [1, 1], time: 0, size: 100, other: 0, want: [[], [1]] },
  ]
  it.each(rows)('$rule', ({ at, time, size, other, want }) => {
    const { byTime, bySize } = expiredBlocks(ending(...at), time * HOUR, size, other)
    expect([byTime, bySize]).toEqual(want)
  })
})

describe('retentionBytesMax', () => {
  it('takes the percentage before the size, if the size of the file system is known', () => {
    expect(retentionBytesMax(retention({}), 1000)).toBe(0)
    expect(retentionBytesMax(retention({ sizeBytes: 7 }), 1000)).toBe(7)
    expect(retentionBytesMax(retention({ sizeBytes: 7, percentage: 12.5 }), 1000)).toBe(125)
    expect(retentionBytesMax(retention({ sizeBytes: 7, percentage: 12.5 }), Number.NaN)).toBe(7)
  })
})
