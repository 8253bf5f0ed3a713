/**
 * What every storage must do, run on each implementation by its own test file. A storage is made by `open`; what
 * was committed is visible when `commit` resolved.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  APPEND_DUPLICATE,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPEND_TOO_OLD,
  APPENDED,
} from '../../storage/errors.ts'
import type { Querier, SelectHints, Storage } from '../../storage/interface.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'
import { Matcher, type MatchOp } from '../../storage/model/matcher.ts'
import {
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
  type PlainKind,
  SampleColumns,
} from '../../storage/model/sample.ts'
import { prng } from '../harness/prng.ts'

export interface StorageSuiteOptions {
  /** 0 when nothing is said. */
  outOfOrderWindowMs?: number
}

export interface OpenStorage {
  storage: Storage
  close(): Promise<void>
  /** Moves to the next generation, where the storage has such. */
  cut(): void
  /** Resolves when all before the last cut lies where old samples lie, where the storage has such a place. */
  settle(): Promise<void>
  deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void>
}

/** What is done between appends: the rules hold whatever the storage does with what it has. */
const MOVES: readonly [what: string, move: (opened: OpenStorage) => Promise<void>][] = [
  ['', async () => {}],
  [', across a cut', async (opened) => opened.cut()],
  [
    ', across a cut that is written out',
    async (opened) => {
      opened.cut()
      await opened.settle()
    },
  ],
]

export const NO_HINTS: SelectHints = { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false }

/** Labels from text like `up job=a`. */
export function labelsOf(text: string): Labels {
  const [name, ...pairs] = text.split(' ')
  return Labels.from({ __name__: name, ...Object.fromEntries(pairs.map((pair) => pair.split('='))) })
}

export async function append(
  storage: Storage,
  rows: readonly (readonly [series: string, t: number, v: number, kind?: PlainKind])[],
): Promise<number[]> {
  const appender = storage.appender()
  const outcomes = rows.map(([series, t, v, kind]) =>
    appender.append(appender.register(labelsOf(series)), t, v, kind ?? KIND_FLOAT),
  )
  await appender.commit()
  return outcomes
}

/** Series and samples as text: `{"__name__":"up"} 1000:1 2000:stale`. */
export async function dump(
  storage: Storage,
  matchers: readonly Matcher[],
  mint = Number.MIN_SAFE_INTEGER,
  maxt = Number.MAX_SAFE_INTEGER,
): Promise<string[]> {
  const querier = storage.querier(mint, maxt)
  try {
    return await dumpSelected(querier, matchers)
  } finally {
    querier.close()
  }
}

async function dumpSelected(
  querier: Querier,
  matchers: readonly Matcher[],
  range?: SelectHints['range'],
): Promise<string[]> {
  const set = await querier.select(matchers, { ...NO_HINTS, range })
  const columns = new SampleColumns(4)
  const lines: string[] = []
  for (let i = 0; i < set.count; i++) {
    set.read(i, columns)
    const samples: string[] = []
    for (let j = 0; j < columns.length; j++) {
      samples.push(`${columns.t[j]}:${columns.kind[j] === KIND_STALE ? 'stale' : columns.v[j]}`)
    }
    if (samples.length > 0) lines.push(`${text(set.labels(i))} ${samples.join(' ')}`)
  }
  return lines
}

function text(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels.toObject()
  return [name, ...Object.entries(rest).map(([label, value]) => `${label}=${value}`)].join(' ')
}

const m = (name: string, op: MatchOp, value: string) => new Matcher(name, op, value)
const ALL = [m('__name__', '!=', '')]

export function storageSuite(
  name: string,
  open: (options: StorageSuiteOptions) => Promise<OpenStorage>,
): void {
  describe(name, () => {
    let opened: OpenStorage
    let storage: Storage

    beforeEach(async () => {
      opened = await open({})
      storage = opened.storage
    })
    afterEach(() => opened.close())

    it('gives back what was appended, series sorted by labels, samples by time', async () => {
      await append(storage, [
        ['up job=b', 1000, 1],
        ['up job=a', 1000, 2],
        ['up job=a', 2000, 3],
        ['down', 1000, 4],
      ])
      expect(await dump(storage, ALL)).toEqual(['down 1000:4', 'up job=a 1000:2 2000:3', 'up job=b 1000:1'])
    })

    it('sorts labels and values by UTF-8 bytes, not by UTF-16 units', async () => {
      await append(storage, [
        ['m x=\u{1f600}', 1, 1],
        ['m x=\uff5e', 1, 2],
      ])
      expect(await dump(storage, ALL)).toEqual(['m x=\uff5e 1:2', 'm x=\u{1f600} 1:1'])
    })

    it('shows nothing of a batch before its commit, and nothing of one rolled back', async () => {
      const appender = storage.appender()
      appender.append(appender.register(labelsOf('up')), 1000, 1, KIND_FLOAT)
      expect(await dump(storage, ALL)).toEqual([])
      await appender.commit()
      expect(await dump(storage, ALL)).toEqual(['up 1000:1'])
      const second = storage.appender()
      second.append(second.register(labelsOf('up')), 2000, 2, KIND_FLOAT)
      second.append(second.register(labelsOf('other')), 2000, 2, KIND_FLOAT)
      second.rollback()
      expect(await dump(storage, ALL)).toEqual(['up 1000:1'])
    })

    it('keeps a view as it was when it was taken', async () => {
      await append(storage, [['up', 1000, 1]])
      const querier = storage.querier(0, 1e6)
      for (let t = 2000; t <= 60_000; t += 1000) await append(storage, [['up', t, t]])
      opened.cut()
      await append(storage, [['up', 61_000, 0]])
      const set = await querier.select(ALL, NO_HINTS)
      const columns = new SampleColumns()
      set.read(0, columns)
      expect([set.count, columns.length, columns.t[0]]).toEqual([1, 1, 1000])
      querier.close()
      expect((await dump(storage, ALL))[0].split(' ')).toHaveLength(62)
    })

    const outcomes: [rule: string, rows: [string, number, number, PlainKind?][], want: number[]][] = [
      [
        'newer is appended',
        [
          ['a', 1000, 1],
          ['a', 1001, 1],
        ],
        [APPENDED, APPENDED],
      ],
      [
        'same time and value is the same',
        [
          ['a', 1000, 1],
          ['a', 1000, 1],
        ],
        [APPENDED, APPEND_SAME],
      ],
      [
        'same time, NaN and NaN',
        [
          ['a', 1, Number.NaN],
          ['a', 1, Number.NaN],
        ],
        [APPENDED, APPEND_SAME],
      ],
      [
        'same time, 0 and -0 differ',
        [
          ['a', 1, 0],
          ['a', 1, -0],
        ],
        [APPENDED, APPEND_DUPLICATE],
      ],
      [
        'same time, other value',
        [
          ['a', 1000, 1],
          ['a', 1000, 2],
        ],
        [APPENDED, APPEND_DUPLICATE],
      ],
      [
        'same time, other kind',
        [
          ['a', 1000, 1],
          ['a', 1000, 1, KIND_STALE],
        ],
        [APPENDED, APPEND_DUPLICATE],
      ],
      [
        'two stale markers',
        [
          ['a', 1, 0, KIND_STALE],
          ['a', 1, 7, KIND_STALE],
        ],
        [APPENDED, APPEND_SAME],
      ],
      [
        'older than the series',
        [
          ['a', 2000, 1],
          ['a', 1000, 1],
        ],
        [APPENDED, APPEND_OUT_OF_ORDER],
      ],
      [
        'older than another series is fine',
        [
          ['a', 2000, 1],
          ['b', 1000, 1],
        ],
        [APPENDED, APPENDED],
      ],
      [
        'exactly one hour behind',
        [
          ['a', 3_600_000, 1],
          ['b', 0, 1],
        ],
        [APPENDED, APPENDED],
      ],
      [
        'more than one hour behind',
        [
          ['a', 3_600_001, 1],
          ['b', 0, 1],
        ],
        [APPENDED, APPEND_OUT_OF_BOUNDS],
      ],
      [
        'negative times',
        [
          ['a', -5, 1],
          ['a', -4, 2],
        ],
        [APPENDED, APPENDED],
      ],
    ]
    for (const [what, move] of MOVES) {
      it.each(outcomes)(`%s${what}`, async (_, rows, want) => {
        const got: number[] = []
        for (const row of rows) {
          got.push(...(await append(storage, [row])))
          await move(opened)
        }
        expect(got).toEqual(want)
        const lines = await dump(storage, ALL)
        const points = lines.reduce((sum, line) => sum + line.split(':').length - 1, 0)
        expect(points).toBe(want.filter((outcome) => outcome === APPENDED).length)
      })
    }

    it('drops at commit what another batch overtook, and counts it', async () => {
      const slow = storage.appender()
      const ref = slow.register(labelsOf('up'))
      expect(slow.append(ref, 1000, 1, KIND_FLOAT)).toBe(APPENDED)
      expect(slow.append(ref, 3000, 3, KIND_FLOAT)).toBe(APPENDED)
      await append(storage, [['up', 2000, 2]])
      expect(await slow.commit()).toEqual({ appended: 1, outOfOrder: 1 })
      expect(await dump(storage, ALL)).toEqual(['up 2000:2 3000:3'])
    })

    it('keeps the earlier of two samples of one time in a batch', async () => {
      await append(storage, [
        ['up', 1000, 1],
        ['up', 1000, 2],
        ['up', 500, 3],
      ])
      expect(await dump(storage, ALL)).toEqual(['up 1000:1'])
    })

    it.each(MOVES)('carries stale markers, NaN, infinities and -0%s', async (_, move) => {
      await append(storage, [
        ['m', 1, Number.NaN],
        ['m', 2, Number.POSITIVE_INFINITY],
        ['m', 3, Number.NEGATIVE_INFINITY],
        ['m', 4, 0, KIND_STALE],
        ['m', 5, -0],
      ])
      await move(opened)
      expect(await dump(storage, ALL)).toEqual(['m 1:NaN 2:Infinity 3:-Infinity 4:stale 5:0'])
      const querier = storage.querier(5, 5)
      const columns = new SampleColumns()
      const set = await querier.select(ALL, NO_HINTS)
      set.read(0, columns)
      expect(Object.is(columns.v[0], -0)).toBe(true)
      expect(columns.allFloat).toBe(true)
      querier.close()
    })

    it.each(MOVES)(
      'takes ranges as closed, and leaves out series without a sample in them%s',
      async (_, move) => {
        for (let t = 1000; t <= 30_000; t += 1000) await append(storage, [['a', t, t / 1000]])
        await append(storage, [['b', 40_000, 1]])
        await move(opened)
        expect(await dump(storage, ALL, 29_000, 39_999)).toEqual(['a 29000:29 30000:30'])
        expect(await dump(storage, ALL, 3000, 3000)).toEqual(['a 3000:3'])
        expect(await dump(storage, ALL, 40_001, 50_000)).toEqual([])
      },
    )

    it.each(MOVES)('selects in a range inside that of the querier%s', async (_, move) => {
      for (let t = 1000; t <= 30_000; t += 1000) await append(storage, [['a', t, t / 1000]])
      await append(storage, [['b', 40_000, 1]])
      await move(opened)
      await append(storage, [['a', 50_000, 50]])
      const querier = storage.querier(5000, 60_000)
      expect(await dumpSelected(querier, ALL, { mint: 29_000, maxt: 49_999 })).toEqual([
        'a 29000:29 30000:30',
        'b 40000:1',
      ])
      // One does not change what another one sees, and none sees more than the querier.
      expect(await dumpSelected(querier, ALL, { mint: 0, maxt: 5000 })).toEqual(['a 5000:5'])
      expect(await dumpSelected(querier, ALL, { mint: 40_001, maxt: 1e9 })).toEqual(['a 50000:50'])
      querier.close()
    })

    const selections: [what: string, matchers: Matcher[], want: string[]][] = [
      ['equal', [m('job', '=', 'a')], ['x e=1 job=a', 'y job=a']],
      ['equal to a value that is not there', [m('job', '=', 'zz')], []],
      ['a label that is not there', [m('nope', '=', 'a')], []],
      [
        'equal to empty: without the label',
        [m('__name__', '=', 'x'), m('e', '=', '')],
        ['x job=b', 'x job=bb'],
      ],
      ['not equal', [m('__name__', '=', 'x'), m('job', '!=', 'a')], ['x job=b', 'x job=bb']],
      [
        'not equal passes without the label',
        [m('__name__', '=~', 'x|y'), m('e', '!=', '1')],
        ['x job=b', 'x job=bb', 'y job=a'],
      ],
      ['not empty', [m('e', '!=', '')], ['x e=1 job=a']],
      ['a regular expression is anchored', [m('job', '=~', 'b')], ['x job=b']],
      ['a set', [m('job', '=~', 'a|bb|none')], ['x e=1 job=a', 'x job=bb', 'y job=a']],
      ['a prefix', [m('job', '=~', 'b.*')], ['x job=b', 'x job=bb']],
      ['no match', [m('__name__', '=', 'x'), m('job', '!~', 'b+')], ['x e=1 job=a']],
      [
        'an expression that takes empty',
        [m('__name__', '=', 'x'), m('e', '=~', '1?')],
        ['x e=1 job=a', 'x job=b', 'x job=bb'],
      ],
      ['several on one label', [m('job', '=~', 'b.*'), m('job', '!=', 'b')], ['x job=bb']],
      ['none: all', [], ['x e=1 job=a', 'x job=b', 'x job=bb', 'y job=a']],
    ]
    for (const [what, move] of MOVES) {
      it.each(selections)(`selects${what}: %s`, async (_, matchers, want) => {
        await append(storage, [
          ['x job=a e=1', 1, 0],
          ['x job=b', 1, 0],
        ])
        await move(opened)
        await append(storage, [
          ['x job=bb', 2, 0],
          ['y job=a', 2, 0],
          ['x job=b', 2, 0],
        ])
        const lines = await dump(storage, matchers)
        expect(lines.map((line) => line.replace(/ \S+:.*$/, ''))).toEqual(want)
      })
    }

    it.each(MOVES)('lists label names and values, with and without matchers%s', async (_, move) => {
      await append(storage, [['x job=a e=1', 1, 0]])
      await move(opened)
      await append(storage, [['y job=b', 1, 0]])
      const querier = storage.querier(0, 10)
      expect(await querier.labelNames([])).toEqual(['__name__', 'e', 'job'])
      expect(await querier.labelNames([m('job', '=', 'b')])).toEqual(['__name__', 'job'])
      expect(await querier.labelValues('job', [])).toEqual(['a', 'b'])
      expect(await querier.labelValues('job', [m('e', '!=', '')])).toEqual(['a'])
      expect(await querier.labelValues('nope', [])).toEqual([])
      querier.close()
    })

    it.each(MOVES)('joins the parts of a series%s', async (_, move) => {
      const want: string[] = []
      for (let t = 1; t <= 100; t++) {
        await append(storage, [['up', t, t]])
        want.push(`${t}:${t}`)
        if (t % 9 === 0) await move(opened)
      }
      expect(await dump(storage, ALL)).toEqual([`up ${want.join(' ')}`])
    })

    it('keeps refs good across a cut', async () => {
      const first = storage.appender()
      const ref = first.register(labelsOf('up'))
      first.append(ref, 1, 1, KIND_FLOAT)
      await first.commit()
      opened.cut()
      const second = storage.appender()
      expect(second.append(ref, 1, 1, KIND_FLOAT)).toBe(APPEND_SAME)
      expect(second.append(ref, 2, 2, KIND_FLOAT)).toBe(APPENDED)
      opened.cut()
      await second.commit()
      expect(await dump(storage, ALL)).toEqual(['up 1:1 2:2'])
    })

    describe.each(MOVES)('deletes%s', (_, move) => {
      beforeEach(async () => {
        for (let t = 1; t <= 20; t++) {
          await append(storage, [
            ['a x=1', t, t],
            ['a x=2', t, -t],
            ['b', t, 0],
          ])
          if (t % 7 === 0) await move(opened)
        }
      })

      it('what passes all matchers, within a closed range', async () => {
        await opened.deleteSeries([m('__name__', '=', 'a'), m('x', '!=', '2')], 3, 19)
        for (let i = 0; i < 2; i++) {
          expect(await dump(storage, [m('x', '=', '1')])).toEqual(['a x=1 1:1 2:2 20:20'])
          expect((await dump(storage, [m('x', '=', '2')]))[0].split(' ')).toHaveLength(22)
          expect(await dump(storage, ALL, 3, 3)).toEqual(['a x=2 3:-3', 'b 3:0'])
          await move(opened)
        }
      })

      it('all without matchers and bounds, and then nothing is listed', async () => {
        await opened.deleteSeries([], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
        for (let i = 0; i < 2; i++) {
          expect(await dump(storage, [])).toEqual([])
          const querier = storage.querier(0, 100)
          expect(await querier.labelNames([])).toEqual([])
          expect(await querier.labelValues('x', [])).toEqual([])
          querier.close()
          await move(opened)
        }
      })

      it('only what is there: what comes later stays, and is checked against what was deleted', async () => {
        await opened.deleteSeries([m('x', '=', '1')], 10, 100)
        expect(
          await append(storage, [
            ['a x=1', 20, 20],
            ['a x=1', 19, 1],
            ['a x=1', 21, 21],
          ]),
        ).toEqual([APPEND_SAME, APPEND_OUT_OF_ORDER, APPENDED])
        await move(opened)
        expect(await dump(storage, [m('x', '=', '1')], 9)).toEqual(['a x=1 9:9 21:21'])
      })

      it('and a view that was taken before still has it', async () => {
        const querier = storage.querier(0, 100)
        await opened.deleteSeries(ALL, 0, 100)
        const set = await querier.select(ALL, NO_HINTS)
        const columns = new SampleColumns()
        set.read(0, columns)
        expect([set.count, columns.length]).toEqual([3, 20])
        querier.close()
        expect(await dump(storage, ALL)).toEqual([])
      })
    })

    describe('with a window for late samples', () => {
      const windowMs = 1_800_000
      beforeEach(async () => {
        await opened.close()
        opened = await open({ outOfOrderWindowMs: windowMs })
        storage = opened.storage
      })

      const late: [rule: string, rows: [string, number, number, PlainKind?][], want: number[]][] = [
        [
          'late ones are taken inside of it',
          [
            ['a', 2_000_000, 1],
            ['a', 200_000, 2],
            ['a', 199_999, 3],
          ],
          [APPENDED, APPENDED, APPEND_TOO_OLD],
        ],
        [
          'a late stale marker is not',
          [
            ['a', 2000, 1],
            ['a', 1000, 0, KIND_STALE],
          ],
          [APPENDED, APPEND_OUT_OF_ORDER],
        ],
        [
          'a series of its own time goes on within the hour',
          [
            ['a', 3_600_000, 1],
            ['b', 0, 2],
            ['b', 1, 3],
          ],
          [APPENDED, APPENDED, APPENDED],
        ],
        [
          'the same again is nothing',
          [
            ['a', 2000, 1],
            ['a', 2000, 1],
            ['a', 2000, 2],
          ],
          [APPENDED, APPEND_SAME, APPEND_DUPLICATE],
        ],
      ]
      it.each(late)('%s', async (_, rows, want) => {
        for (const [i, [what, move]] of MOVES.entries()) {
          const got: number[] = []
          for (const [series, t, v, kind] of rows) {
            got.push(...(await append(storage, [[`${series}${i}`, t, v, kind]])))
            await move(opened)
          }
          expect(got, what).toEqual(want)
        }
      })

      it('sorts them in, and of two of one time the earlier arrival stays', async () => {
        for (const [i, [, move]] of MOVES.entries()) {
          const series = `a${i}`
          for (const t of [1000, 5000, 3000, 2000, 3000, 5001, 4000, 1000, 1]) {
            const [before] = await dump(storage, [m('__name__', '=', series)])
            await append(storage, [[series, t, before === undefined ? 0 : before.split(' ').length]])
            if (t % 2000 > 0) await move(opened)
          }
          expect(await dump(storage, [m('__name__', '=', series)])).toEqual([
            `${series} 1:7 1000:0 2000:4 3000:3 4000:6 5000:2 5001:5`,
          ])
        }
      })

      it('shows those of a range, and of a view only what it had', async () => {
        await append(storage, [['a', 10_000, 1]])
        await append(storage, [['a', 5000, 2]])
        const querier = storage.querier(0, 1e6)
        await append(storage, [['a', 4000, 3]])
        const set = await querier.select(ALL, NO_HINTS)
        const columns = new SampleColumns()
        set.read(0, columns)
        expect([...columns.t.subarray(0, columns.length)]).toEqual([5000, 10_000])
        querier.close()
        expect(await dump(storage, ALL, 4000, 5000)).toEqual(['a 4000:3 5000:2'])
      })

      it('goes on in order after many late ones', async () => {
        const want: string[] = []
        for (let i = 0; i < 60; i++) {
          const t = 1000 * (i + 1)
          await append(storage, [['a', t, i]])
          want.push(`${t}:${i}`)
          if (i % 3 !== 2) continue
          await append(storage, [['a', t - 500, -i]])
          want.splice(-1, 0, `${t - 500}:${-i}`)
          if (i % 20 === 0) opened.cut()
        }
        expect(await dump(storage, ALL)).toEqual([`a ${want.join(' ')}`])
      })
    })

    describe('histograms', () => {
      const histogram = (count: number, layout = 0): FloatHistogram => ({
        ...EMPTY_HISTOGRAM,
        schema: 3 - layout,
        zeroThreshold: 0.001,
        zeroCount: 1,
        count: count + 1,
        sum: count * 1.5,
        positiveSpans: [{ offset: layout, length: 2 }],
        positiveBuckets: [count - 2, 2],
      })
      const custom: FloatHistogram = {
        ...EMPTY_HISTOGRAM,
        schema: CUSTOM_SCHEMA,
        count: 3,
        sum: 7.25,
        positiveSpans: [{ offset: 0, length: 3 }],
        positiveBuckets: [1, 2, 0],
        customValues: [0.5, 2],
      }
      const read = async (): Promise<unknown[]> => {
        const querier = storage.querier(0, 1e12)
        const set = await querier.select(ALL, NO_HINTS)
        const columns = new SampleColumns(1)
        set.read(0, columns)
        querier.close()
        return Array.from({ length: columns.length }, (_, i) => [
          columns.t[i],
          columns.kind[i],
          columns.kind[i] < KIND_HISTOGRAM ? columns.v[i] : columns.histograms[columns.v[i]],
        ])
      }

      it.each(MOVES)('come back whole, among floats and stale markers%s', async (_, move) => {
        const want: unknown[] = []
        for (let i = 0; i < 70; i++) {
          const appender = storage.appender()
          const ref = appender.register(labelsOf('h'))
          const t = 1000 * (i + 1)
          if (i % 10 === 7) {
            expect(appender.append(ref, t, i, KIND_FLOAT)).toBe(APPENDED)
            want.push([t, KIND_FLOAT, i])
          } else {
            const kind = i % 4 === 0 ? KIND_FLOAT_HISTOGRAM : KIND_HISTOGRAM
            const one = i % 23 === 3 ? custom : histogram(10 + i * 3, i % 17 === 0 ? 1 : 0)
            expect(appender.appendHistogram(ref, t, one, kind)).toBe(APPENDED)
            // Whether they go on is found out.
            want.push([t, kind, { ...one, counterResetHint: expect.any(String) }])
          }
          await appender.commit()
          if (i % 31 === 30) await move(opened)
        }
        expect(await read()).toEqual(want)
      })

      it('are the same or not by all that they have', async () => {
        const outcomes: number[] = []
        for (const [one, kind] of [
          [histogram(9), KIND_HISTOGRAM],
          [histogram(9), KIND_HISTOGRAM],
          [histogram(10), KIND_HISTOGRAM],
          [histogram(9), KIND_FLOAT_HISTOGRAM],
        ] as const) {
          const appender = storage.appender()
          outcomes.push(appender.appendHistogram(appender.register(labelsOf('h')), 1, one, kind))
          await appender.commit()
        }
        expect(outcomes).toEqual([APPENDED, APPEND_SAME, APPEND_DUPLICATE, APPEND_DUPLICATE])
        expect(await append(storage, [['h', 1, 9]])).toEqual([APPEND_DUPLICATE])
        expect(await read()).toEqual([[1, KIND_HISTOGRAM, histogram(9)]])
      })

      const hints = async (mint = 0): Promise<string[]> => {
        const querier = storage.querier(mint, 1e12)
        const set = await querier.select(ALL, NO_HINTS)
        const columns = new SampleColumns(1)
        set.read(0, columns)
        querier.close()
        return Array.from({ length: columns.length }, (_, i) =>
          columns.kind[i] < KIND_HISTOGRAM ? 'none' : columns.histograms[columns.v[i]].counterResetHint,
        )
      }
      const changed = (one: FloatHistogram, more: Partial<FloatHistogram>): FloatHistogram => ({
        ...one,
        ...more,
      })
      type HintCase = [rule: string, rows: (FloatHistogram | 'stale' | 'float')[], want: string[]]
      const hintCases: HintCase[] = [
        [
          'the first is unknown, those that go on are no resets, whatever was said of them',
          [changed(histogram(9), { counterResetHint: 'not_reset' }), histogram(9), histogram(11)],
          ['unknown', 'not_reset', 'not_reset'],
        ],
        [
          'a drop is unknown',
          [histogram(9), histogram(8), histogram(9)],
          ['unknown', 'unknown', 'not_reset'],
        ],
        [
          'so is what was said to be a reset',
          [histogram(9), changed(histogram(10), { counterResetHint: 'reset' }), histogram(11)],
          ['unknown', 'unknown', 'not_reset'],
        ],
        [
          'so is what follows on a float, a stale marker or a gauge; gauges are gauges',
          [
            histogram(9),
            'float',
            histogram(9),
            'stale',
            histogram(9),
            changed(histogram(9), { counterResetHint: 'gauge' }),
            changed(histogram(3), { counterResetHint: 'gauge' }),
            histogram(9),
          ],
          ['unknown', 'none', 'unknown', 'none', 'unknown', 'gauge', 'gauge', 'unknown'],
        ],
        [
          'so is another schema, zero bucket or bound',
          [
            histogram(9),
            histogram(10, 1),
            changed(histogram(11, 1), { zeroThreshold: 1 }),
            custom,
            changed(custom, { sum: 8 }),
            changed(custom, { customValues: [0.5, 3] }),
          ],
          ['unknown', 'unknown', 'unknown', 'unknown', 'not_reset', 'unknown'],
        ],
        [
          'buckets may come, and empty ones may go',
          [
            changed(histogram(9), { positiveSpans: [{ offset: 0, length: 3 }], positiveBuckets: [7, 0, 2] }),
            changed(histogram(9), {
              positiveSpans: [
                { offset: -1, length: 2 },
                { offset: 1, length: 2 },
              ],
              positiveBuckets: [0, 7, 2, 0],
            }),
            changed(histogram(9), { positiveSpans: [{ offset: 0, length: 1 }], positiveBuckets: [9] }),
          ],
          ['unknown', 'not_reset', 'unknown'],
        ],
      ]
      it.each(hintCases)('as for resets: %s', async (_, rows, want) => {
        for (const [i, row] of rows.entries()) {
          const appender = storage.appender()
          const ref = appender.register(labelsOf('h'))
          if (typeof row === 'string') appender.append(ref, i, i, row === 'stale' ? KIND_STALE : KIND_FLOAT)
          else appender.appendHistogram(ref, i, row, KIND_HISTOGRAM)
          await appender.commit()
        }
        expect(await hints()).toEqual(want)
        opened.cut()
        await opened.settle()
        expect(await hints()).toEqual(want)
        // What went on still does where the one before it is not asked for.
        const from = want.indexOf('not_reset')
        if (from > 0) expect(await hints(from)).toEqual(want.slice(from))
      })
    })

    describe('start timestamps', () => {
      beforeEach(async () => {
        await opened.close()
        opened = await open({ outOfOrderWindowMs: 1_800_000 })
        storage = opened.storage
      })

      /** Of one series: `time:value` and, where it is known, `since start`. */
      async function started(name: string, mint = 0, maxt = 1e12): Promise<string[]> {
        const querier = storage.querier(mint, maxt)
        const set = await querier.select([m('__name__', '=', name)], NO_HINTS)
        const columns = new SampleColumns(1)
        // What was there before must not show.
        columns.push(1, 1, KIND_FLOAT)
        columns.setStart(0, 77)
        if (set.count > 0) set.read(0, columns)
        else columns.clear()
        querier.close()
        const { t, v, kind, st, length } = columns
        return Array.from({ length }, (_, i) => {
          const value = kind[i] === KIND_STALE ? 'stale' : kind[i] === KIND_FLOAT ? v[i] : 'histogram'
          return `${t[i]}:${value}${st.length > 0 && st[i] !== 0 ? ` since ${st[i]}` : ''}`
        })
      }

      it.each(MOVES)('stay with their samples%s', async (_, move) => {
        const want: string[] = []
        const plain: string[] = []
        for (let i = 1; i <= 150; i++) {
          const t = 1000 * i
          // A restart now and then, and times of which it is not known.
          const st = i % 40 < 5 ? 0 : t - (t % 50_000) + 1
          const appender = storage.appender()
          const [ref, other] = [appender.register(labelsOf('c')), appender.register(labelsOf('d'))]
          const kind = i % 30 === 29 ? KIND_STALE : KIND_FLOAT
          expect(appender.append(other, t, i, KIND_FLOAT)).toBe(APPENDED)
          if (i % 20 === 10) {
            expect(appender.appendHistogram(ref, t, EMPTY_HISTOGRAM, KIND_HISTOGRAM, st)).toBe(APPENDED)
          } else expect(appender.append(ref, t, i, kind, st)).toBe(APPENDED)
          await appender.commit()
          const value = i % 20 === 10 ? 'histogram' : kind === KIND_STALE ? 'stale' : i
          want.push(`${t}:${value}${st === 0 ? '' : ` since ${st}`}`)
          plain.push(`${t}:${i}`)
          if (i % 45 === 44) await move(opened)
        }
        expect(await started('c')).toEqual(want)
        expect(await started('d')).toEqual(plain)
        for (const [from, to] of [
          [3, 9],
          [44, 130],
          [149, 150],
        ])
          expect(await started('c', from * 1000, to * 1000)).toEqual(want.slice(from - 1, to))
      })

      it.each(MOVES)('stay with late samples, and with those around them%s', async (_, move) => {
        const at = new Map<number, string>()
        const random = prng(7)
        for (let i = 0; i < 120; i++) {
          const t = 10_000 + 100 * (i % 3 === 2 ? random.int(0, i) : i) + (i % 3 === 2 ? 50 : 0)
          const st = random.pick([0, 5000, 5000, 6000, t])
          const appender = storage.appender()
          const outcome = appender.append(appender.register(labelsOf('c')), t, i, KIND_FLOAT, st)
          await appender.commit()
          expect(outcome).toBe(APPENDED)
          if (!at.has(t)) at.set(t, `${t}:${i}${st === 0 ? '' : ` since ${st}`}`)
          if (i % 50 === 49) await move(opened)
        }
        const want = [...at].sort(([a], [b]) => a - b).map(([, text]) => text)
        expect(await started('c')).toEqual(want)
        await opened.deleteSeries(ALL, 12_000, 15_000)
        expect(await started('c')).toEqual(want.filter((text) => !(text >= '12000' && text <= '15000:')))
      })

      it('are no part of what a sample is compared by', async () => {
        for (const [st, want] of [
          [100, APPENDED],
          [200, APPEND_SAME],
          [0, APPEND_SAME],
        ] as const) {
          const appender = storage.appender()
          expect(appender.append(appender.register(labelsOf('c')), 1000, 1, KIND_FLOAT, st)).toBe(want)
          await appender.commit()
        }
        expect(await started('c')).toEqual(['1000:1 since 100'])
      })

      it('end with samples of a row, which have none', async () => {
        for (const t of [1000, 2000, 3000, 4000]) {
          const appender = storage.appender()
          const ref = appender.register(labelsOf('c'))
          const other = appender.register(labelsOf('d'))
          if (t % 2000 > 0) appender.append(ref, t, t, KIND_FLOAT, 500)
          else appender.appendRow(Float64Array.of(ref), Float64Array.of(t), 1, t, new Int8Array(1))
          appender.append(other, t, 1, KIND_FLOAT, 400)
          await appender.commit()
        }
        expect(await started('c')).toEqual([
          '1000:1000 since 500',
          '2000:2000',
          '3000:3000 since 500',
          '4000:4000',
        ])
      })
    })

    it('appends a row of floats as one after the other', async () => {
      const first = storage.appender()
      const refs = Float64Array.from(['a', 'b', 'c'], (name) => first.register(labelsOf(name)))
      const outcomes = new Int8Array(3)
      expect(first.appendRow(refs, Float64Array.of(1, 2, Number.NaN), 3, 1000, outcomes)).toBe(0)
      expect([...outcomes]).toEqual([APPENDED, APPENDED, APPENDED])
      await first.commit()
      await append(storage, [['b', 2000, 2]])
      const second = storage.appender()
      expect(second.appendRow(refs, Float64Array.of(1, 2, 3), 2, 1000, outcomes)).toBe(2)
      expect([...outcomes.subarray(0, 2)]).toEqual([APPEND_SAME, APPEND_OUT_OF_ORDER])
      await second.commit()
      expect(await dump(storage, ALL)).toEqual(['a 1000:1', 'b 1000:2 2000:2', 'c 1000:NaN'])
    })

    it('does not take the value of a label for the name of one', async () => {
      await append(storage, [
        ['a x=y', 1, 1],
        ['a x=z', 1, 2],
      ])
      const lines = ['a x=y 1:1', 'a x=z 1:2']
      expect(await dump(storage, [m('__name__', '=', 'a'), m('y', '=~', '|1')])).toEqual(lines)
      expect(await dump(storage, [m('__name__', '=', 'a'), m('y', '!=', 'x')])).toEqual(lines)
      expect(await dump(storage, [m('__name__', '=', 'a'), m('y', '!=', '')])).toEqual([])
    })

    it('takes long and strange label values', async () => {
      const long = 'ä'.repeat(100_000)
      const strange = Labels.from({ __name__: 'm', 'a.b c': '\u0000\n"\\', long })
      const appender = storage.appender()
      appender.append(appender.register(strange), 1, 1, KIND_FLOAT)
      await appender.commit()
      const querier = storage.querier(0, 10)
      const set = await querier.select([m('long', '=', long)], NO_HINTS)
      expect(set.labels(0).toObject()).toEqual(strange.toObject())
      querier.close()
    })
  })
}
