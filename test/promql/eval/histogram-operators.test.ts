// Goal: operators, filters and functions of one sample over native histograms, and what they say of it.
// Method: hand-worked grids over a few series, a sample a minute; a table of all pairs of kinds.
import { describe, expect, it } from 'vitest'
import type { EngineFeatures } from '../../../promql/engine.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { mixedGridOf, newEngine, type Point, series, storageOf } from './fixture.ts'

const MINUTE = 60_000
const FEATURES: EngineFeatures = { experimentalFunctions: true, binopFill: true }

const H = simple(6, 9)
const STORAGE = await storageOf([
  series('h', { i: '0' }, [H, simple(2), 5, null]),
  series('f', { i: '0' }, [2, simple(2), simple(1), simple(1)]),
])

async function run(query: string, features: EngineFeatures = FEATURES, storage = STORAGE, minutes = 3) {
  const result = await newEngine(features).rangeQuery(storage, query, 0, minutes * MINUTE, MINUTE)
  return { grid: mixedGridOf(result), notes: [...result.warnings, ...result.infos] }
}

async function pair(left: Point, right: Point, op: string, features = FEATURES) {
  const storage = await storageOf([series('a', { i: '0' }, [left]), series('b', { i: '0' }, [right])])
  return run(`a ${op} b`, features, storage, 0)
}

function incompatible(left: string, op: string, right: string): string {
  return `PromQL info: incompatible sample types encountered for binary operator "${op}": ${left} ${op} ${right} (1:1)`
}

describe('two vectors', () => {
  it.each([
    [H, simple(2, 1), '+', '{count:8, sum:10, (1,2]:8}'],
    [H, simple(2, 1), '-', '{count:4, sum:8, (1,2]:4} gauge'],
    [H, H, '-', '{count:0, sum:0} gauge'],
    [H, 2, '*', '{count:12, sum:18, (1,2]:12}'],
    [2, H, '*', '{count:12, sum:18, (1,2]:12}'],
    [H, -1, '*', '{count:-6, sum:-9, (1,2]:-6} gauge'],
    [H, 0, '*', '{count:0, sum:0}'],
    [H, 3, '/', '{count:2, sum:3, (1,2]:2}'],
    [H, 0, '/', '{count:+Inf, sum:+Inf, [-0,0]:NaN}'],
    [H, 2, '</', '{count:6, sum:9, (1,2]:6}'],
    [H, 2, '>/', '{count:0, sum:0}'],
    [H, H, '== bool', 1],
    [H, H, '!= bool', 0],
    [H, simple(6), '!= bool', 1],
  ] as [Point, Point, string, string | number][])('%j %j %s', async (left, right, op, want) => {
    expect(await pair(left, right, op)).toStrictEqual({
      grid: [['{i="0"}', [want]]].map(named(op)),
      notes: [],
    })
  })

  /** Trims keep the name. */
  function named(op: string) {
    return ([labels, row]: unknown[]) => [
      op.includes('/') && op.length > 1 ? '{__name__="a", i="0"}' : labels,
      row,
    ]
  }

  const OPERATORS = ['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '<', '<=', '>', '>=', '</', '>/']
  const DEFINED: Record<string, readonly string[]> = {
    'float float': OPERATORS.slice(0, -2),
    'float histogram': ['*'],
    'histogram float': ['*', '/', '</', '>/'],
    'histogram histogram': ['+', '-', '==', '!='],
  }
  it.each(Object.keys(DEFINED).flatMap((kinds) => OPERATORS.map((op) => [kinds, op])))(
    '%s: %s',
    async (kinds, op) => {
      const [left, right] = kinds.split(' ')
      const point = (kind: string): Point => (kind === 'float' ? 3 : H)
      const isDefined = DEFINED[kinds].includes(op)
      const { grid, notes } = await pair(point(left), point(right), op)
      expect(notes).toStrictEqual(isDefined ? [] : [incompatible(left, op, right)])
      if (!isDefined) expect(grid).toStrictEqual([])
    },
  )

  it('say where buckets do not go together', async () => {
    expect(await pair(H, custom(1), '+')).toStrictEqual({
      grid: [],
      notes: ['PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)'],
    })
    expect(await pair(custom(1), custom(2, [1, 7]), '+')).toStrictEqual({
      grid: [['{i="0"}', ['{count:3, sum:3, [-Inf,1]:3}']]],
      notes: ['PromQL info: mismatched custom buckets were reconciled during addition (1:1)'],
    })
  })

  it('have no result where counters contradict each other', async () => {
    const reset = simple(1, 1, { counterResetHint: 'reset' })
    const notReset = simple(1, 1, { counterResetHint: 'not_reset' })
    expect(await pair(reset, notReset, '-')).toStrictEqual({
      grid: [],
      notes: ['PromQL warning: conflicting counter resets during histogram subtraction (1:1)'],
    })
  })

  it('may change their kinds from step to step', async () => {
    const { grid, notes } = await run('h * on (i) f')
    expect(grid).toStrictEqual([
      [
        '{i="0"}',
        ['{count:12, sum:18, (1,2]:12}', null, '{count:5, sum:5, (1,2]:5}', '{count:5, sum:5, (1,2]:5}'],
      ],
    ])
    expect(notes).toStrictEqual([incompatible('histogram', '*', 'histogram')])
  })

  it('copy the histograms of the "many" side, and of the left where it is the "one" side', async () => {
    const storage = await storageOf([
      series('m', { i: '0', k: '0' }, [H]),
      series('m', { i: '0', k: '1' }, [simple(1)]),
      series('o', { i: '0' }, [H]),
    ])
    const left = await run('m == on (i) group_left () o', FEATURES, storage, 0)
    expect(left.grid).toStrictEqual([['{__name__="m", i="0", k="0"}', ['{count:6, sum:9, (1,2]:6}']]])
    const right = await run('o != on (i) group_right () m', FEATURES, storage, 0)
    expect(right.grid).toStrictEqual([['{__name__="m", i="0", k="1"}', ['{count:6, sum:9, (1,2]:6}']]])
  })

  it('of one group without a result are no second match', async () => {
    const storage = await storageOf([
      series('m', { i: '0', k: '0' }, [H]),
      series('m', { i: '0', k: '1' }, [1]),
      series('o', { i: '0' }, [2]),
    ])
    const { grid } = await run('m + on (i) o', FEATURES, storage, 0)
    expect(grid).toStrictEqual([['{i="0"}', [3]]])
    await expect(run('m * on (i) o', FEATURES, storage, 0)).rejects.toThrow('multiple matches for labels')
  })

  it('fill what is missing, and what has no result', async () => {
    const { grid } = await run('f * on (i) fill_right (2) h', FEATURES, STORAGE, 0)
    expect(grid).toStrictEqual([['{i="0"}', ['{count:12, sum:18, (1,2]:12}']]])
    const storage = await storageOf([series('m', { i: '0' }, [H]), series('o', { i: '0' }, [2])])
    const filled = await run('m + on (i) fill_left (1) o', FEATURES, storage, 0)
    expect(filled.grid).toStrictEqual([['{i="0"}', [3]]])
  })
})

describe('a vector and a scalar', () => {
  it.each([
    ['h * 2', ['{count:12, sum:18, (1,2]:12}', '{count:4, sum:4, (1,2]:4}', 10, 10], []],
    ['2 * h', ['{count:12, sum:18, (1,2]:12}', '{count:4, sum:4, (1,2]:4}', 10, 10], []],
    ['h / 2', ['{count:3, sum:4.5, (1,2]:3}', '{count:1, sum:1, (1,2]:1}', 2.5, 2.5], []],
    ['h + 2', [null, null, 7, 7], [incompatible('histogram', '+', 'float')]],
    ['2 / h', [null, null, 0.4, 0.4], [incompatible('float', '/', 'histogram')]],
    ['h > bool 2', [null, null, 1, 1], [incompatible('histogram', '>', 'float')]],
    ['-h', ['{count:-6, sum:-9, (1,2]:-6} gauge', '{count:-2, sum:-2, (1,2]:-2} gauge', -5, -5], []],
  ])('%s', async (query, row, notes) => {
    expect(await run(query)).toStrictEqual({ grid: [['{i="0"}', row]], notes })
  })

  it('keeps name and histogram where a trim takes nothing, and tells of floats', async () => {
    const { grid, notes } = await run('h </ 2')
    const row = ['{count:6, sum:9, (1,2]:6}', '{count:2, sum:2, (1,2]:2}', null, null]
    expect(grid).toStrictEqual([['{__name__="h", i="0"}', row]])
    expect(notes).toStrictEqual([incompatible('float', '</', 'float')])
  })
})

describe('set operators', () => {
  it.each([
    ['h and on (i) f', ['{count:6, sum:9, (1,2]:6}', '{count:2, sum:2, (1,2]:2}', 5, 5]],
    ['f unless on () (vector(1) * on () group_left () h)', [null, null, null, null]],
  ])('%s', async (query, row) => {
    const { grid } = await run(query)
    expect(grid).toStrictEqual(row.every((cell) => cell === null) ? [] : [['{__name__="h", i="0"}', row]])
  })

  it('or takes from the right what has no group', async () => {
    const storage = await storageOf([series('h', {}, [H, 'stale']), series('f', {}, [null, simple(1)])])
    const { grid } = await run('h or on () f', FEATURES, storage, 1)
    expect(grid).toStrictEqual([
      ['{__name__="f"}', [null, '{count:1, sum:1, (1,2]:1}']],
      ['{__name__="h"}', ['{count:6, sum:9, (1,2]:6}', null]],
    ])
  })
})

describe('functions of one sample', () => {
  it.each([
    ['abs(h)', [null, null, 5, 5]],
    ['round(h, 2)', [null, null, 6, 6]],
    ['clamp(h, 0, 3)', [null, null, 3, 3]],
    ['clamp_max(h, 3)', [null, null, 3, 3]],
    ['minute(h)', [null, null, 0, 0]],
    ['vector(scalar(h))', [Number.NaN, Number.NaN, 5, 5]],
    ['timestamp(-h)', [0, 60, 120, 180]],
    ['timestamp(h)', [0, 60, 120, 120]],
    ['sort(h)', [null, null, 5, 5]],
    ['absent(h)', []],
  ])('%s', async (query, row) => {
    const { grid } = await run(query)
    const labels = query.startsWith('vector')
      ? '{}'
      : query.startsWith('sort')
        ? '{__name__="h", i="0"}'
        : '{i="0"}'
    expect(grid).toStrictEqual(row.length === 0 ? [] : [[labels, row]])
  })

  it.each(['label_replace(h, "i", "1", "", "")', 'label_join(h, "i", "", "i")', 'sort_by_label(h, "i")'])(
    '%s keeps histograms',
    async (query) => {
      const { grid } = await run(query)
      expect(grid[0][1]).toStrictEqual(['{count:6, sum:9, (1,2]:6}', '{count:2, sum:2, (1,2]:2}', 5, 5])
    },
  )

  it('is the same at all steps of what does not change', async () => {
    const histogram = '{count:6, sum:9, (1,2]:6}'
    expect((await run('h @ 0')).grid).toStrictEqual([['{__name__="h", i="0"}', Array(4).fill(histogram)]])
    // The column is one of histograms, the result a float.
    expect((await run('h @ 0 == bool h @ 0')).grid).toStrictEqual([['{i="0"}', [1, 1, 1, 1]]])
  })
})
