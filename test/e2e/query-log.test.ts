// Goal: the query log has what was asked, follows the configuration, and queries that ran when the server died are named
// at the next start. Method: the real program; files are read from outside, as log shippers do.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiClient } from '../harness/api-client.ts'
import { type RunningNarthex, startNarthex, temporaryFolder, waitUntilReady } from '../harness/server.ts'

const ENABLED = 'prometheus_engine_query_log_enabled'

/** Takes half a minute of processor time. */
const SLOW = 'max_over_time(stddev_over_time(vector(time())[1h:1s])[14d:1s])'

interface Line {
  msg: string
  error?: string
  params: { query: string; start: string; end: string; step: number }
  stats: { timings: Record<string, number>; samples: Record<string, number> }
  httpRequest: { clientIP: string; method: string; path: string }
}

let folder: string
let server: RunningNarthex
let api: ApiClient

async function until(holds: () => boolean, what: () => string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!holds() && Date.now() < deadline) await sleep(20)
  expect(holds(), what()).toBe(true)
}

const read = (file: string): Line[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line)
    : []

/** The lines of a log once there are so many; no more may be there. */
async function lines(file: string, count: number): Promise<Line[]> {
  await until(
    () => read(file).length >= count,
    () => `${file}: ${read(file).length} of ${count} lines`,
  )
  const found = read(file)
  expect(found.length).toBe(count)
  return found
}

const configWith = (file: string) =>
  `global: {scrape_interval: 1h${file === '' ? '' : `, query_log_file: ${JSON.stringify(file)}`}}\n`

async function reload(file: string): Promise<number> {
  writeFileSync(server.configPath, configWith(file))
  return (await api.post('/-/reload')).status
}

beforeAll(async () => {
  folder = temporaryFolder('narthex-query-log-')
  server = await startNarthex({
    config: configWith(join(folder, 'first.log')),
    args: ['--web.enable-lifecycle'],
  })
  api = new ApiClient(server.url)
  await waitUntilReady(server)
}, 30_000)

afterAll(async () => {
  expect(await server.stop(), server.logs()).toBe(0)
})

describe('the query log', () => {
  it('has the queries that were run, with their times, their costs and who asked', async () => {
    const file = join(folder, 'first.log')
    await api.queryRange('vector(1) + time()', 0, 3_600_000, 5000)
    expect((await api.get('/api/v1/query', { query: 'sum(' })).status).toBe(400)
    await api.series(['up'])
    const form = new URLSearchParams({ query: SLOW, time: '1000.5', timeout: '2s' })
    const timedOut = await fetch(`${server.url}/api/v1/query?x=1`, { method: 'POST', body: form })
    expect(timedOut.status).toBe(503)
    const [ranged, slow] = await lines(file, 2)
    expect(ranged).toMatchObject({
      msg: 'promql query logged',
      params: {
        query: 'vector(1) + time()',
        start: '1970-01-01T00:00:00.000Z',
        end: '1970-01-01T01:00:00.000Z',
        step: 5,
      },
      stats: { samples: { totalQueryableSamples: 0, samplesRead: 0 } },
      httpRequest: { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' },
    })
    expect(ranged.error).toBeUndefined()
    expect(ranged.stats.timings.execTotalTime).toBeGreaterThan(0)
    expect(slow).toMatchObject({
      error: expect.stringMatching(/^query timed out in /),
      params: { query: SLOW, start: '1970-01-01T00:16:40.500Z', end: '1970-01-01T00:16:40.500Z', step: 0 },
      httpRequest: { clientIP: '127.0.0.1', method: 'POST', path: '/api/v1/query' },
    })
    expect(slow.stats.timings.execTotalTime).toBeGreaterThan(0.05)
    expect(await api.ownMetric(ENABLED)).toBe(1)
  })

  it('changes with the configuration, can be rotated, and stays when the new file cannot be opened', async () => {
    const file = join(folder, 'second.log')
    expect(await reload(file)).toBe(200)
    await api.get('/api/v1/query', { query: '1' })
    await lines(file, 1)
    renameSync(file, `${file}.1`)
    expect(await reload(file)).toBe(200)
    await api.get('/api/v1/query', { query: '2' })
    expect((await lines(file, 1))[0].params.query).toBe('2')
    expect(await reload(join(folder, 'none', 'f.log'))).toBe(500)
    expect(server.logs()).toMatch(
      /level=ERROR .*Failed to apply configuration.* subsystem=query_engine err="can't create json log file: /,
    )
    expect(await api.ownMetric('prometheus_config_last_reload_successful')).toBe(0)
    await api.get('/api/v1/query', { query: '3' })
    expect((await lines(file, 2))[1].params.query).toBe('3')
    expect(await reload('')).toBe(200)
    expect(await api.ownMetric(ENABLED)).toBe(0)
    await api.get('/api/v1/query', { query: '4' })
    await api.get('/api/v1/query', { query: '5' })
    await lines(file, 2)
    await lines(join(folder, 'first.log'), 2)
    expect(await api.ownMetric('prometheus_engine_query_log_failures_total')).toBe(0)
  })

  it('is relative to the configuration; a server that cannot open it does not start', async () => {
    const config = configWith('none/f.log')
    await expect(startNarthex({ config })).rejects.toThrow(/can't create json log file: ENOENT.*none\/f\.log/)
  }, 30_000)
})

describe('queries that ran when the server was killed', () => {
  it('are named at the next start, and not again', async () => {
    const dataPath = join(folder, 'data')
    const journal = join(dataPath, 'narthex', 'queries.active')
    const config = configWith('')
    const first = await startNarthex({ config, dataPath })
    await waitUntilReady(first)
    expect(first.logs()).not.toContain("didn't finish")
    const client = new ApiClient(first.url)
    await client.get('/api/v1/query', { query: 'vector(1)' })
    const lost = client.get('/api/v1/query', { query: SLOW }).catch(() => 'gone')
    await until(
      () => readFileSync(journal, 'utf8').includes('stddev'),
      () => first.logs(),
    )
    await first.kill()
    expect(await lost).toBe('gone')

    const second = await startNarthex({ config, dataPath })
    await waitUntilReady(second)
    const said = second
      .logs()
      .split('\n')
      .filter((line) => line.includes("didn't finish"))
    expect(said.length).toBe(1)
    expect(said[0]).toMatch(
      /level=INFO source=server.ts msg="These queries didn't finish in prometheus' last run:" component=activeQueryTracker queries="\[\{\\"query\\":\\"max_over_time\(stddev_over_time\(vector\(time\(\)\)\[1h:1s\]\)\[14d:1s\]\)\\",\\"timestamp_sec\\":\d{10}\}\]"$/,
    )
    expect(await second.stop()).toBe(0)
    const third = await startNarthex({ config, dataPath })
    await waitUntilReady(third)
    expect(third.logs()).not.toContain("didn't finish")
    expect(await third.stop()).toBe(0)
  }, 60_000)
})
