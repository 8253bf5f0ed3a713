// Goal: deleting, cleaning and snapshots answer as upstream does, and ask the storage for what was meant. Method: every
// path through the endpoints, on a storage that writes down what it was asked for.
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { snapshotName } from '../../src/api/admin-endpoints.ts'
import { MAX_TIME_MS, MIN_TIME_MS } from '../../src/api/parameters.ts'
import { StorageError } from '../../storage/errors.ts'
import type { StorageAdmin } from '../../storage/interface.ts'
import { NOW_MS, startApi } from './fixture.ts'

const ADMIN = '/api/v1/admin/tsdb'
let app: FastifyInstance
let asked: string[] = []
let fault: Error | undefined

const storageAdmin: StorageAdmin = {
  deleteSeries: async (matchers, mint, maxt) => {
    if (fault !== undefined) throw fault
    asked.push(`delete {${matchers.map(({ name, op, value }) => name + op + value)}} ${mint} ${maxt}`)
  },
  cleanTombstones: async () => {
    if (fault !== undefined) throw fault
    asked.push('clean')
  },
  snapshot: async (name, withHead) => {
    if (fault !== undefined) throw fault
    asked.push(`snapshot ${name.length} ${withHead}`)
    return `/data/snapshots/${name}`
  },
}

async function start(overrides: Parameters<typeof startApi>[0] = {}): Promise<void> {
  app = await startApi({ isAdminEnabled: true, storageAdmin, ...overrides })
}

afterEach(async () => {
  await app.close()
  asked = []
  fault = undefined
})

const call = async (path: string, method: 'POST' | 'PUT' | 'GET' = 'POST') => {
  const { statusCode, body } = await app.inject({ method, url: ADMIN + path })
  return { statusCode, body }
}
const error = (statusCode: number, errorType: string, text: string) => ({
  statusCode,
  body: JSON.stringify({ status: 'error', errorType, error: text }),
})

describe('admin endpoints', () => {
  it('are off unless enabled', async () => {
    await start({ isAdminEnabled: false })
    for (const path of ['/delete_series?match[]=a', '/clean_tombstones', '/snapshot']) {
      expect(await call(path)).toEqual(error(500, 'unavailable', 'admin APIs disabled'))
    }
    expect(asked).toEqual([])
  })

  it('take POST and PUT only', async () => {
    await start()
    for (const path of ['/delete_series?match[]=a', '/clean_tombstones', '/snapshot']) {
      expect((await call(path, 'GET')).statusCode).toBe(405)
      expect((await call(path, 'PUT')).statusCode).toBeLessThan(300)
    }
  })

  it('ask again later while the storage is not whole', async () => {
    await start({ storageAdmin: undefined })
    expect(await call('/clean_tombstones')).toEqual(error(503, 'unavailable', 'TSDB not ready'))
    await app.close()
    await start()
    fault = new StorageError('NOT_READY', 'the write-ahead log is being replayed')
    expect(await call('/clean_tombstones')).toEqual(error(503, 'unavailable', 'TSDB not ready'))
  })
})

describe('delete_series', () => {
  it('deletes by each selector, in the times given', async () => {
    await start()
    const query = new URLSearchParams([
      ['match[]', 'up{job="a"}'],
      ['match[]', '{x=~"b.*"}'],
      ['start', '1'],
      ['end', '2.5'],
    ])
    expect(await call(`/delete_series?${query}`)).toEqual({ statusCode: 204, body: '' })
    expect(asked).toEqual(['delete {job=a,__name__=up} 1000 2500', 'delete {x=~b.*} 1000 2500'])
  })

  it('deletes from ever, for ever, and everything when asked to', async () => {
    await start()
    expect((await call('/delete_series?match[]={}')).statusCode).toBe(204)
    expect(asked).toEqual([`delete {} ${MIN_TIME_MS} ${MAX_TIME_MS}`])
  })

  it('deletes nothing from a time to an earlier one', async () => {
    await start()
    expect((await call('/delete_series?match[]=a&start=2&end=1')).statusCode).toBe(204)
    expect((await call('/delete_series?match[]={&start=2&end=1')).statusCode).toBe(400)
    expect(asked).toEqual([])
  })

  it('takes a form', async () => {
    await start()
    const { statusCode } = await app.inject({
      method: 'POST',
      url: `${ADMIN}/delete_series`,
      payload: 'match[]=up&end=3',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect([statusCode, asked]).toEqual([204, [`delete {__name__=up} ${MIN_TIME_MS} 3000`]])
  })

  it.each([
    ['', 'no match[] parameter provided'],
    ['?match[]=a&x=%zz', 'error parsing form values: invalid URL escape "%zz"'],
    [
      '?match[]=a&start=x',
      `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`,
    ],
    [
      '?match[]=a&end=x',
      `invalid parameter "end": invalid time value for 'end': cannot parse "x" to a valid timestamp`,
    ],
    [
      '?match[]=a&match[]={',
      'invalid parameter "match[]": 1:2: parse error: unexpected end of input inside braces',
    ],
  ])('refuses %j, and deletes nothing', async (parameters, text) => {
    await start()
    expect(await call(`/delete_series${parameters}`)).toEqual(error(400, 'bad_data', text))
    expect(asked).toEqual([])
  })

  it('says what the storage says', async () => {
    await start()
    fault = new StorageError('WRITE_FAILED', 'no space left')
    expect(await call('/delete_series?match[]=a')).toEqual(error(500, 'internal', 'no space left'))
  })
})

describe('clean_tombstones', () => {
  it('cleans', async () => {
    await start()
    expect(await call('/clean_tombstones')).toEqual({ statusCode: 204, body: '' })
    expect(asked).toEqual(['clean'])
  })
})

describe('snapshot', () => {
  it('answers the name that the storage was given', async () => {
    await start()
    const { statusCode, body } = await call('/snapshot')
    expect(statusCode).toBe(200)
    expect(body).toMatch(/^\{"status":"success","data":\{"name":"19700101T000100Z-[0-7][0-9a-f]{15}"\}\}$/)
    for (const value of ['true', '1', 'T', 'false', '0', '']) await call(`/snapshot?skip_head=${value}`)
    expect(asked).toEqual(
      [true, false, false, false, true, true, true].map((withHead) => `snapshot 33 ${withHead}`),
    )
  })

  it('refuses a word that is none of Go', async () => {
    await start()
    const text =
      'invalid parameter "skip_head": unable to parse boolean: strconv.ParseBool: parsing "yes": invalid syntax'
    expect(await call('/snapshot?skip_head=yes')).toEqual(error(400, 'bad_data', text))
  })

  it('says what went wrong', async () => {
    await start()
    fault = new Error('no space left')
    expect(await call('/snapshot')).toEqual(error(500, 'internal', 'create snapshot: no space left'))
  })

  it('is named by its time, and a positive number', () => {
    const name = snapshotName(NOW_MS + 1_767_366_000_000, new Uint8Array(8).fill(255))
    expect(name).toBe('20260102T150100Z-7fffffffffffffff')
  })
})
