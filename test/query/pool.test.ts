// Goal: threads are wiring: the pool answers as one thread does, whatever happens to a thread. Method: real worker
// threads on the fixture storage, whose metric names misbehave on demand.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { defaultThreadCount, QueryPool, type QueryPoolOptions } from '../../src/query/pool.ts'
import { FIXTURE_HANDLE } from './fixture-storage.ts'
import { bodyJson, bodyText, ENGINE, instant, range, series } from './requests.ts'

const FIXTURE = new URL('./fixture-storage.ts', import.meta.url).href

const pools: QueryPool[] = []
function startPool(options: Partial<QueryPoolOptions> = {}): QueryPool {
  const pool = new QueryPool({
    storageHandle: FIXTURE_HANDLE,
    storageModule: FIXTURE,
    engine: ENGINE,
    maxConcurrency: 20,
    threads: 1,
    ...options,
  })
  pools.push(pool)
  return pool
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

describe('a pool of query threads', () => {
  it('has at least two threads unless told otherwise', () => {
    expect(defaultThreadCount()).toBeGreaterThanOrEqual(2)
  })

  it('starts further threads when all are busy, and ends those that have nothing to do', async () => {
    const exits: number[] = []
    const pool = startPool({ threads: 3, idleMs: 50, onWorkerExit: (index) => exits.push(index) })
    const answers = await Promise.all(Array.from({ length: 30 }, () => pool.run(instant('up'))))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    await vi.waitFor(() => expect(exits.length).toBeGreaterThan(0), 5000)
    expect(exits).not.toContain(0)
    expect((await pool.run(instant('up'))).status).toBe(200)
    await pool.close()
  })

  it('answers queries of all kinds, more at once than it has threads', async () => {
    const pool = startPool({ threads: 2 })
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => [
        pool.run(instant(`sum(fixture) + ${i}`)),
        pool.run(range('sum(fixture)')),
        pool.run(series([`fixture{i="${i % 5}"}`])),
      ]).flat(),
    )
    for (const [at, response] of responses.entries()) {
      const i = Math.floor(at / 3)
      const { data } = bodyJson(response)
      if (at % 3 === 0) expect(data.result).toEqual([{ metric: {}, value: [60, String(10 + i)] }])
      if (at % 3 === 1) expect(data.result[0].values).toHaveLength(3)
      if (at % 3 === 2) expect(data).toEqual([{ __name__: 'fixture', i: String(i % 5) }])
    }
  })

  it('passes on what is wrong with a query', async () => {
    const response = await startPool().run(instant('sum('))
    expect(response.status).toBe(400)
    expect(bodyText(response)).toContain('unclosed left parenthesis')
  })

  it('cancels a running query and a waiting one, and goes on', async () => {
    const pool = startPool()
    await pool.run(instant('1'))
    const running = new AbortController()
    const waiting = new AbortController()
    const first = pool.run(instant('sleepy'), running.signal)
    const second = pool.run(instant('fixture'), waiting.signal)
    const third = pool.run(instant('fixture'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    waiting.abort()
    expect((await second).status).toBe(499)
    running.abort()
    expect((await first).status).toBe(499)
    // The cancel word of the thread is clear again.
    expect((await third).status).toBe(200)
    expect((await pool.run(instant('fixture'), AbortSignal.abort())).status).toBe(499)
  })

  it('cancels a query that computes, and ends one whose time is up, in a fifth of a second', async () => {
    const pool = startPool()
    await pool.run(instant('1'))
    // Windows of 60,000 points, gone through anew at each of 10,000 steps.
    const heavy = range('stddev_over_time(fixture[1m:1ms])', {
      startMs: 30_000,
      endMs: 40_000,
      stepMs: 1,
    })
    const client = new AbortController()
    const canceled = pool.run(heavy, client.signal)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const abortedAt = performance.now()
    client.abort()
    expect(bodyJson(await canceled).error).toBe('query was canceled in expression evaluation')
    expect(performance.now() - abortedAt).toBeLessThan(200)
    const startedAt = performance.now()
    const timedOut = await pool.run({ ...heavy, timeoutMs: 300 })
    expect(timedOut.status).toBe(503)
    expect(bodyJson(timedOut).errorType).toBe('timeout')
    expect(performance.now() - startedAt).toBeLessThan(500)
  })

  it('does not let a query wait beyond its time', async () => {
    const pool = startPool()
    await pool.run(instant('1'))
    const running = pool.run(instant('sleepy'))
    const started = performance.now()
    const response = await pool.run(instant('fixture', { timeoutMs: 50 }))
    expect(performance.now() - started).toBeLessThan(400)
    expect(response.status).toBe(400)
    expect(bodyJson(response).error).toBe('invalid parameter "query": context deadline exceeded')
    expect(response.timings.queueMs).toBeGreaterThanOrEqual(45)
    expect((await running).status).toBe(200)
  })

  it('counts the waiting in the statistics', async () => {
    const pool = startPool()
    await pool.run(instant('1'))
    const first = pool.run(instant('sleepy'))
    // Longer than a timer can be: it must not end the waiting at once.
    const second = await pool.run(instant('fixture', { stats: 'true', timeoutMs: 2 ** 40 }))
    await first
    expect(second.timings.queueMs).toBeGreaterThan(300)
    expect(bodyJson(second).data.stats.timings.execQueueTime).toBeCloseTo(second.timings.queueMs / 1000, 6)
  })

  it('runs no more queries at once than the gate lets, but label queries step by', async () => {
    const pool = startPool({ threads: 2, maxConcurrency: 1 })
    await Promise.all([pool.run(series(['fixture'])), pool.run(series(['fixture']))])
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    await Promise.all([
      pool.run(instant('sleepy')).then(note('first')),
      pool.run(instant('fixture')).then(note('second')),
      pool.run(series(['fixture'])).then(note('labels')),
    ])
    expect(order).toEqual(['labels', 'first', 'second'])
  })
})

describe('the light lane', () => {
  it('is never taken by large queries, however many there are', async () => {
    const pool = startPool({ threads: 2 })
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const large = [1, 2, 3].map((n) => pool.run(instant('large')).then(note(`large ${n}`)))
    for (let n = 0; n < 10; n++) await pool.run(instant('fixture')).then(note('small'))
    await Promise.all(large)
    expect(order).toEqual([...Array.from({ length: 10 }, () => 'small'), 'large 1', 'large 2', 'large 3'])
  })

  it('ends a large query that is given up, or whose time is up, while it waits for the other lane', async () => {
    const pool = startPool({ threads: 2 })
    const running = pool.run(instant('large'))
    const client = new AbortController()
    const waiting = pool.run(instant('large'), client.signal)
    const late = pool.run(instant('large', { timeoutMs: 200 }))
    expect((await late).status).toBe(400)
    client.abort()
    expect((await waiting).status).toBe(499)
    expect((await running).status).toBe(200)
  })

  it('refuses a query for its memory only in the lane for large ones', async () => {
    const pool = startPool({ threads: 2, memoryBytes: 4096 })
    // Labels and answers of five series are more than the light lane has.
    expect((await pool.run(instant('fixture'))).status).toBe(200)
    const refused = await pool.run(instant('fixture + on (i) group_left {__name__=~"fixture"}'))
    expect(refused.status).toBe(422)
    expect(bodyJson(refused).error).toMatch(
      /^query needs at least 4\.\d KiB of memory, and may have 3\.0 KiB \(--query\.memory-limit\): \{__name__=~?"fixture"\} selects 5 series with some 25 samples, at 1 step; narrow it/,
    )
  })
})

describe('a thread that dies', () => {
  it.each([
    ['crash', 500, 'internal', 'query thread died: the thread ended by itself'],
    ['greedy', 422, 'execution', 'query needs more memory than a query thread may have'],
  ])(
    'by %s: its query fails, its hold is let go, another thread takes its place',
    async (name, status, type, error) => {
      const exits: number[] = []
      const errors: Error[] = []
      const pool = startPool({
        heapMib: 32,
        onWorkerExit: (index) => exits.push(index),
        onWorkerError: (_index, reason) => errors.push(reason),
      })
      const dying = pool.run(instant(name))
      const next = pool.run(instant('sum(fixture)'))
      const response = await dying
      expect(bodyJson(response)).toEqual({ status: 'error', errorType: type, error })
      expect(response.status).toBe(status)
      expect((await next).status).toBe(200)
      expect(exits).toEqual([0])
      expect(errors).toHaveLength(1)
    },
  )

  it('before it is ready is started again, but not without a pause', async () => {
    let exits = 0
    const pool = startPool({ storageModule: 'file:///nowhere/storage.ts', onWorkerExit: () => exits++ })
    const response = await pool.run(instant('1', { timeoutMs: 3000 }))
    expect(response.status).toBe(400)
    expect(exits).toBeGreaterThan(1)
    // 50 + 100 + … + 1600 ms of pauses are more than three seconds, and the starts take their time too.
    expect(exits).toBeLessThan(8)
  })
})

describe('closing', () => {
  it('answers what runs, what waits and what comes, and tells when each thread is gone', async () => {
    const exits: number[] = []
    const errors: Error[] = []
    const pool = startPool({
      threads: 2,
      onWorkerExit: (index) => exits.push(index),
      onWorkerError: (_index, error) => errors.push(error),
    })
    await Promise.all([pool.run(instant('1')), pool.run(instant('1'))])
    const open = Array.from({ length: 4 }, () => pool.run(instant('sleepy')))
    await pool.close()
    const statuses = (await Promise.all(open)).map((response) => response.status)
    expect(statuses.slice(2)).toEqual([503, 503])
    for (const status of statuses.slice(0, 2)) expect([499, 503]).toContain(status)
    expect((await pool.run(instant('1'))).status).toBe(503)
    expect(exits.sort()).toEqual([0, 1])
    expect(errors).toEqual([])
  })
})
