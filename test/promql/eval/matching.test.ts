// Goal: which series meet in a binary operation, what the result is called, and when it is an error. Method: tables
// of queries over a few series, at one step and over several, where the rules speak of single steps.
import { beforeAll, describe, expect, it } from 'vitest'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { instant, range, series, storageOf } from './fixture.ts'

let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('used', { host: 'a', disk: '1' }, [10, 10, 10]),
    series('used', { host: 'a', disk: '2' }, [20, 20, 20]),
    series('used', { host: 'b', disk: '1' }, [30, 30, 30]),
    series('total', { host: 'a', disk: '1' }, [100, 100, 100]),
    series('total', { host: 'b', disk: '1' }, [300, 300, 300]),
    series('total', { host: 'c', disk: '1' }, [500, 500, 500]),
    series('host_info', { host: 'a', rack: 'r1' }, [1, 1, 1]),
    series('host_info', { host: 'b', rack: 'r2' }, [1, 1, 1]),
    // One host moves from rack to rack: never two samples at once.
    series('moving', { host: 'a', rack: 'r1' }, [1, 'stale', null]),
    series('moving', { host: 'a', rack: 'r2' }, [null, 2, 2]),
    // These two overlap at minute 1.
    series('twice', { host: 'a', v: '1' }, [1, 1, 'stale']),
    series('twice', { host: 'a', v: '2' }, [null, 2, 2]),
  ])
})

describe('one-to-one', () => {
  it.each<{ query: string; want: [string, number][] }>([
    {
      query: 'used / total',
      want: [
        ['{disk="1", host="a"}', 0.1],
        ['{disk="1", host="b"}', 0.1],
      ],
    },
    {
      query: 'used * on (host, disk) total',
      want: [
        ['{disk="1", host="a"}', 1000],
        ['{disk="1", host="b"}', 9000],
      ],
    },
    {
      query: 'used{disk="1"} + ignoring (disk) total',
      want: [
        ['{host="a"}', 110],
        ['{host="b"}', 330],
      ],
    },
    {
      query: 'used < total',
      want: [
        ['{__name__="used", disk="1", host="a"}', 10],
        ['{__name__="used", disk="1", host="b"}', 30],
      ],
    },
    { query: 'used > total', want: [] },
    {
      query: 'used{disk="1"} < on (host) total',
      want: [
        ['{host="a"}', 10],
        ['{host="b"}', 30],
      ],
    },
    {
      query: 'used > bool total',
      want: [
        ['{disk="1", host="a"}', 0],
        ['{disk="1", host="b"}', 0],
      ],
    },
    { query: 'used + nothing', want: [] },
  ])('$query', async ({ query, want }) => expect(await instant(storage, query, 0)).toStrictEqual(want))
})

describe('with a many side', () => {
  it.each<{ query: string; want: [string, number][] }>([
    {
      query: 'used * on (host) group_left (rack) host_info',
      want: [
        ['{disk="1", host="a", rack="r1"}', 10],
        ['{disk="1", host="b", rack="r2"}', 30],
        ['{disk="2", host="a", rack="r1"}', 20],
      ],
    },
    {
      query: 'host_info - on (host) group_right () used',
      want: [
        ['{disk="1", host="a"}', -9],
        ['{disk="1", host="b"}', -29],
        ['{disk="2", host="a"}', -19],
      ],
    },
    {
      query: 'used > on (host) group_left () host_info',
      want: [
        ['{__name__="used", disk="1", host="a"}', 10],
        ['{__name__="used", disk="1", host="b"}', 30],
        ['{__name__="used", disk="2", host="a"}', 20],
      ],
    },
    {
      query: 'host_info < on (host) group_right () used{disk="2"}',
      want: [['{__name__="used", disk="2", host="a"}', 1]],
    },
    // An included label that the one side has not is taken away.
    { query: 'used{disk="2"} * on (host) group_left (disk) host_info', want: [['{host="a"}', 20]] },
  ])('$query', async ({ query, want }) => expect(await instant(storage, query, 0)).toStrictEqual(want))
})

describe('errors', () => {
  const unique = 'many-to-many matching not allowed: matching labels must be unique on one side'

  it.each([
    {
      query: 'host_info * on (host) used',
      error:
        'found duplicate series for the match group {host="a"} on the right hand-side of the operation: ' +
        `[{__name__="used", disk="1", host="a"}, {__name__="used", disk="2", host="a"}];${unique}`,
    },
    {
      query: 'used * on (host) group_right () host_info',
      error:
        'found duplicate series for the match group {host="a"} on the left hand-side of the operation: ' +
        `[{__name__="used", disk="1", host="a"}, {__name__="used", disk="2", host="a"}];${unique}`,
    },
    {
      query: 'used * on (host) host_info',
      error: 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    },
    {
      // Even where the comparison is false.
      query: 'used < on (host) host_info',
      error: 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    },
    {
      query: 'label_replace(used, "disk", "", "", "") * on (host) group_left (rack) host_info',
      error: 'vector cannot contain metrics with the same labelset',
    },
    {
      query: 'used * on (host) group_left (disk) host_info',
      error: 'multiple matches for labels: grouping labels must ensure unique matches',
    },
  ])('$query', async ({ query, error }) => {
    await expect(instant(storage, query, 0)).rejects.toThrow(error)
    await expect(range(storage, query, 120_000)).rejects.toThrow(error)
  })

  it('need a sample on the other side at the same step', async () => {
    const duplicate = 'found duplicate series for the match group {host="a"} on the right hand-side'
    const query = (host: string) => `moving{host="${host}"} * on (host) twice`
    await expect(range(storage, query('a'), 120_000)).rejects.toThrow(duplicate)
    expect(await range(storage, query('b'), 120_000)).toStrictEqual([])
    expect(await instant(storage, query('a'), 120_000)).toStrictEqual([['{host="a"}', 4]])
  })

  it('are looked for at each step apart', async () => {
    const query = 'used{disk="1"} * on (host) group_left (rack) moving'
    const want = [
      ['{disk="1", host="a", rack="r1"}', [10, null, null]],
      ['{disk="1", host="a", rack="r2"}', [null, 20, 20]],
    ]
    expect(await range(storage, query, 120_000)).toStrictEqual(want)
    const merged = [['{host="a"}', [10, 20, 20]]]
    expect(await range(storage, 'used{disk="1"} * on (host) moving', 120_000)).toStrictEqual(merged)
  })
})

describe('set operators', () => {
  it.each<{ query: string; want: [string, (number | null)[]][] }>([
    {
      query: 'moving and on (host) total{host="a"}',
      want: [
        ['{__name__="moving", host="a", rack="r1"}', [1, null]],
        ['{__name__="moving", host="a", rack="r2"}', [null, 2]],
      ],
    },
    {
      query: 'used{disk="1"} unless on (host) moving',
      want: [['{__name__="used", disk="1", host="b"}', [30, 30]]],
    },
    {
      query: 'used{disk="1"} and ignoring (disk, rack) moving{rack="r2"}',
      want: [['{__name__="used", disk="1", host="a"}', [null, 10]]],
    },
    {
      query: 'moving{rack="r2"} or on (host) used{disk="2"}',
      want: [
        ['{__name__="moving", host="a", rack="r2"}', [null, 2]],
        ['{__name__="used", disk="2", host="a"}', [20, null]],
      ],
    },
    { query: 'used{disk="2"} unless nothing', want: [['{__name__="used", disk="2", host="a"}', [20, 20]]] },
    { query: 'used and nothing', want: [] },
    { query: 'nothing or used{disk="2"}', want: [['{__name__="used", disk="2", host="a"}', [20, 20]]] },
    { query: 'sum(moving) or vector(7)', want: [['{}', [1, 2]]] },
    { query: 'sum(moving{rack="r2"}) or vector(7)', want: [['{}', [7, 2]]] },
  ])('$query', async ({ query, want }) => {
    expect(await range(storage, query, 60_000)).toStrictEqual(want)
  })
})

describe('names', () => {
  it('of the left side stay after a comparison that waits to drop them', async () => {
    const features = { delayedNameRemoval: true }
    const query = 'label_replace(rate(used[5m]) < 1, "kept", "$1", "__name__", "(.*)")'
    const want = [['{disk="2", host="a", kept="used"}', 0]]
    expect(await instant(storage, query.replace('used', 'used{disk="2"}'), 120_000, features)).toStrictEqual(
      want,
    )
  })

  it('are dropped at once by arithmetic between vectors, also with delayed removal', async () => {
    const query = 'label_replace(used / total, "kept", "$1", "__name__", "(.+)")'
    const want = [
      ['{disk="1", host="a"}', 0.1],
      ['{disk="1", host="b"}', 0.1],
    ]
    expect(await instant(storage, query, 0, { delayedNameRemoval: true })).toStrictEqual(want)
  })
})

describe('fill', () => {
  it.each<{ query: string; want: [string, (number | null)[]][] }>([
    {
      query: 'sum by (rack) (moving) + fill(0) sum by (rack) (host_info)',
      want: [
        ['{rack="r1"}', [2, 1]],
        ['{rack="r2"}', [1, 3]],
      ],
    },
    {
      query: 'moving - on (rack) fill_right(5) nothing',
      want: [
        ['{rack="r1"}', [-4, null]],
        ['{rack="r2"}', [null, -3]],
      ],
    },
    { query: 'moving - on (rack) fill_left(5) nothing', want: [] },
    { query: 'nothing > on (host) fill_left(50) used{disk="2"}', want: [['{host="a"}', [50, 50]]] },
    {
      query: 'host_info * on (host) group_right () fill_right(7) total{host="c"}',
      want: [['{disk="1", host="c"}', [3500, 3500]]],
    },
  ])('$query', async ({ query, want }) => {
    expect(await range(storage, query, 60_000, { binopFill: true })).toStrictEqual(want)
  })

  it('makes two samples of the one side an error even where the other side is empty', async () => {
    const query = 'nothing * on (host) fill_left(1) used'
    const run = instant(storage, query, 0, { binopFill: true })
    await expect(run).rejects.toThrow(
      'found duplicate series for the match group {host="a"} on the right hand-side',
    )
  })
})
