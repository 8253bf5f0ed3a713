// Goal: what the API says of the storage has upstream's form where upstream has one. Method: the bytes of each endpoint over
// a few series and a made-up state.
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { QueryRequest } from '../../src/query/request.ts'
import { startApi } from './fixture.ts'

let app: FastifyInstance

beforeAll(async () => {
  app = await startApi()
})
afterAll(() => app.close())

const get = (path: string) => app.inject({ url: `/api/v1/status${path}` })

describe('status/tsdb', () => {
  // Five series fixture{i="0" … "4"}. Bytes: 5 × (8 + 1 + 7 + 1) of the name, 5 × (1 + 1 + 1 + 1) of i.
  it('counts series by their labels', async () => {
    const pairs = ['0', '1', '2', '3', '4'].map((i) => `{"name":"i=${i}","value":1}`)
    expect((await get('/tsdb')).body).toBe(
      '{"status":"success","data":{"headStats":{"numSeries":5,"numLabelPairs":6,"chunkCount":0,"minTime":0,"maxTime":60000},' +
        '"seriesCountByMetricName":[{"name":"fixture","value":5}],' +
        '"labelValueCountByLabelName":[{"name":"i","value":5},{"name":"__name__","value":1}],' +
        '"memoryInBytesByLabelName":[{"name":"__name__","value":85},{"name":"i","value":20}],' +
        `"seriesCountByLabelValuePair":[{"name":"__name__=fixture","value":5},${pairs}]}}`,
    )
  })

  it.each([
    ['limit=2', 2],
    ['limit=10000', 6],
    ['', 6],
  ])('%s', async (parameters, length) => {
    const { data } = (await get(`/tsdb?${parameters}`)).json()
    expect(data.seriesCountByLabelValuePair).toHaveLength(length)
  })

  it.each([
    ['0', 'limit must be a positive number'],
    ['-1', 'limit must be a positive number'],
    ['x', 'limit must be a positive number'],
    ['10001', 'limit must not exceed 10000'],
  ])('refuses limit=%s', async (limit, error) => {
    const response = await get(`/tsdb?limit=${limit}`)
    expect(response.statusCode).toBe(400)
    expect(response.json()).toEqual({ status: 'error', errorType: 'bad_data', error })
  })

  it('shows upstream’s times where nothing is in memory', async () => {
    const empty = { series: 0, labelPairs: 0, chunks: 0, mint: Infinity, maxt: -Infinity }
    const lists = { seriesByMetric: [], valuesByLabel: [], bytesByLabel: [], seriesByPair: [] }
    const { headStatusAnswer } = await import('../../src/query/head-status.ts')
    expect(new TextDecoder().decode(headStatusAnswer({ ...empty, ...lists }))).toContain(
      '"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[]',
    )
  })

  it('leaves counting to the query service', async () => {
    const requests: QueryRequest[] = []
    const busy = await startApi({
      queryService: {
        run: async (request) => {
          requests.push(request)
          throw new Error('stop here')
        },
        close: async () => {},
      },
    })
    await busy.inject({ url: '/api/v1/status/tsdb?limit=3' })
    expect(requests).toEqual([{ kind: 'headStatus', limit: 3 }])
    await busy.close()
  })
})

it('status/tsdb/blocks shows blocks as their meta.json would be', async () => {
  const { data } = (await get('/tsdb/blocks')).json()
  expect(data).toEqual({
    blocks: [
      {
        ulid: '0000002a',
        minTime: 10,
        maxTime: 81,
        stats: { numSamples: 40, numSeries: 2, numChunks: 2 },
        compaction: { level: 2, sources: ['00000001', '00000002'] },
        version: 1,
        narthex: { firstGeneration: 1, finalGeneration: 3, tombstone: 0, bytes: 4096 },
      },
    ],
  })
})

it('status/storage says what is refused, kept and damaged', async () => {
  const { data } = (await get('/storage')).json()
  expect(data).toEqual({
    memory: { usedBytes: 1000, limitBytes: 2000, allowsSeries: true },
    disk: { freeBytes: 5, totalBytes: null, allowsSeries: false, allowsSamples: true, hasBallast: false },
    refusedSamples: { zoo: 7 },
    retention: { text: '1d', timeMs: 86_400_000, sizeBytes: 0, percentage: 0 },
    head: { series: 3, generations: 1, bytes: 65_536, minTime: null, maxTime: 90 },
    blocks: {
      count: 1,
      bytes: 4096,
      series: 2,
      samples: 40,
      minTime: 10,
      maxTime: 80,
      written: 3,
      merged: 1,
      failed: 0,
      droppedByTime: 0,
      droppedBySize: 0,
      tombstones: 1,
    },
    log: { bytesWritten: 123 },
    damage: { total: 1, notes: [{ place: 'wal', what: 'page 3 is <bad>', minTime: 5 }] },
  })
})
