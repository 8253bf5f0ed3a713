// Goal: what runs is listed with who asked, and ends when it is told to. Method: services whose answers the test gives,
// then real query threads.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { QueryActivity } from '../../src/query/activity.ts'
import { QueryPool } from '../../src/query/pool.ts'
import type { QueryOrigin, QueryRequest, QueryResponse } from '../../src/query/request.ts'
import { errorResponse } from '../../src/query/response.ts'
import { FIXTURE_HANDLE } from './fixture-storage.ts'
import { bodyJson, ENGINE, instant, range, series } from './requests.ts'

const ORIGIN: QueryOrigin = {
  clientIp: '10.0.0.7',
  method: 'GET',
  path: '/api/v1/query',
  headers: {
    'user-agent': 'Grafana/12',
    'x-dashboard-uid': 'd1',
    'x-panel-id': '7',
    'x-grafana-org-id': '1',
    'x-grafana-from-expr': 'true',
    'x-rule-uid': 'r'.repeat(500),
    fromalert: 'true',
    authorization: 'secret',
  },
}

const ANSWER: QueryResponse = { ...errorResponse('internal', ''), status: 200, samplesRead: 42 }

/** Answers come when the test gives them. */
function pending() {
  const answers: ((response: QueryResponse) => void)[] = []
  const canceled: QueryRequest[] = []
  const service = {
    run: () => new Promise<QueryResponse>((resolve) => answers.push(resolve)),
    close: async () => {},
  }
  const activity = new QueryActivity(service, (request) => canceled.push(request))
  return { activity, answers, canceled }
}

describe('the activity of queries', () => {
  it('lists what waits and what runs, oldest first, until it is answered', async () => {
    const { activity, answers } = pending()
    const first = range('a', { startMs: 5, endMs: 65, stepMs: 30 })
    const requests = [first, instant('b'), series(['c', '{d="e"}'])]
    const runs = requests.map((request) => activity.run(request, undefined, ORIGIN))
    runs.push(
      activity.run({ kind: 'labelValues', name: 'job', selectors: ['up'], startMs: 1, endMs: 2, limit: 0 }),
    )
    runs.push(activity.run({ kind: 'headStatus', limit: 1 }))
    activity.start(first)
    const list = activity.list()
    expect(list[0]).toEqual({
      id: list[0].id,
      kind: 'range',
      text: 'a',
      startMs: 5,
      endMs: 65,
      stepMs: 30,
      sinceMs: expect.closeTo(Date.now(), -4),
      state: 'running',
      runningMs: expect.any(Number),
      clientIp: '10.0.0.7',
      path: '/api/v1/query',
      headers: {
        'x-dashboard-uid': 'd1',
        'x-panel-id': '7',
        'x-grafana-org-id': '1',
        'x-rule-uid': 'r'.repeat(200),
        fromalert: 'true',
      },
    })
    expect(list.slice(1)).toMatchObject([
      {
        kind: 'instant',
        text: 'b',
        state: 'waiting',
        startMs: 60_000,
        endMs: 60_000,
        stepMs: 0,
        runningMs: 0,
      },
      { kind: 'series', text: 'match[]=c&match[]={d="e"}' },
      { kind: 'labelValues', text: 'label=job&match[]=up', clientIp: '', headers: {} },
      { kind: 'headStatus', text: '' },
    ])
    expect(new Set(list.map(({ id }) => id)).size).toBe(5)
    // Handed back: it waits again.
    activity.end(first)
    expect(activity.list()[0]).toMatchObject({ state: 'waiting' })
    expect(activity.list()[0].runningMs).toBeGreaterThan(0)
    for (const answer of answers) answer(ANSWER)
    await Promise.all(runs)
    expect(activity.list()).toEqual([])
  })

  it('sums up what ran, and leaves out what never came to that', async () => {
    const { activity, answers } = pending()
    const requests = [instant('a'), instant('b'), series(['c'])]
    const runs = requests.map((request) => activity.run(request, undefined, ORIGIN))
    for (const request of [requests[0], requests[2]]) {
      activity.start(request)
      await vi.waitFor(() => expect(activity.list()[0].runningMs).toBeGreaterThan(1))
      activity.end(request)
    }
    answers[0](ANSWER)
    answers[1](ANSWER)
    answers[2](errorResponse('execution', 'x'))
    await Promise.all(runs)
    const top = activity.top('secondsMax', 9)
    expect(top.map(({ text }) => text).sort()).toEqual(['a', 'match[]=c'])
    expect(top.find(({ text }) => text === 'a')).toMatchObject({
      count: 1,
      failures: 0,
      samplesReadTotal: 42,
      slowestHeaders: { 'x-dashboard-uid': 'd1' },
    })
    expect(top.find(({ text }) => text !== 'a')).toMatchObject({ failures: 1, kind: 'series' })
  })

  it('tells who is to be cancelled, if there is such a one', async () => {
    const { activity, answers, canceled } = pending()
    const request = instant('a')
    const run = activity.run(request)
    const [{ id }] = activity.list()
    expect(activity.cancel(id + 1)).toBe(false)
    expect(activity.cancel(id)).toBe(true)
    expect(canceled).toEqual([request])
    answers[0](ANSWER)
    await run
    expect(activity.cancel(id)).toBe(false)
  })

  it('forgets a query whose service fails', async () => {
    const service = { run: () => Promise.reject(new Error('a bug')), close: async () => {} }
    const activity = new QueryActivity(service, () => {})
    await expect(activity.run(instant('a'))).rejects.toThrow('a bug')
    expect(activity.list()).toEqual([])
  })
})

describe('the activity of a pool', () => {
  let pool: QueryPool
  afterEach(() => pool.close())

  it('follows a query from the queue to a thread, and cancels it in both', async () => {
    const calls: string[] = []
    pool = new QueryPool({
      storageHandle: FIXTURE_HANDLE,
      storageModule: new URL('./fixture-storage.ts', import.meta.url).href,
      engine: ENGINE,
      maxConcurrency: 20,
      threads: 1,
      onStart: (thread, request) => {
        calls.push(`start ${thread} ${'query' in request ? request.query : request.kind}`)
        activity.start(request)
      },
      onEnd: (thread, request) => {
        calls.push(`end ${thread} ${'query' in request ? request.query : request.kind}`)
        activity.end(request)
      },
    })
    const activity = new QueryActivity(pool, (request) => pool.cancel(request))
    const first = activity.run(instant('sleepy'))
    const second = activity.run(instant('fixture'))
    const third = activity.run(series(['fixture']))
    await vi.waitFor(() => expect(activity.list()[0].state).toBe('running'), 5000)
    const list = activity.list()
    expect(list.map(({ state }) => state)).toEqual(['running', 'waiting', 'waiting'])
    expect(activity.cancel(list[1].id)).toBe(true)
    expect(bodyJson(await second).error).toBe('context canceled')
    expect(activity.cancel(list[0].id)).toBe(true)
    const canceled = await first
    expect(canceled.status).toBe(499)
    expect(canceled.error).toBe('query was canceled in query execution')
    expect((await third).status).toBe(200)
    expect(calls).toEqual(['start 0 sleepy', 'end 0 sleepy', 'start 0 series', 'end 0 series'])
    expect(activity.top('secondsMax', 9)).toMatchObject([
      { text: 'sleepy', failures: 1 },
      { text: 'match[]=fixture', failures: 0 },
    ])
  })
})
