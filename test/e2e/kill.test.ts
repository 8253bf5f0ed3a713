// Goal: a server that dies at any moment comes back by itself, with all that it had shown, nothing twice, and
// goes on scraping on time.
// Method: the real program scrapes an exporter in this process, which counts the requests and whose pages are
// told apart by their numbers. `kill -9` at a random moment, KILLS times; what a query had shown before, and
// what the exporter saw, is compared with what the next life answers. Generations are cut every two seconds, and series of
// a second job deleted, so that kills fall into writes and merges of blocks, too.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiClient } from '../harness/api-client.ts'
import { CountingExporter } from '../harness/exporters/counting.ts'
import { prng, testSeed } from '../harness/prng.ts'
import {
  freePort,
  type RunningNarthex,
  startNarthex,
  temporaryFolder,
  waitUntilReady,
} from '../harness/server.ts'
import { counterOf, everything, expectAllOf, type Shown } from '../harness/shown-pages.ts'

const KILLS = Number(process.env.KILLS ?? 4)
const SERIES = 200
const BLOCK_WITHIN_MS = 30_000
const INTERVAL_MS = 1000
/** From the start of the process to the first scrape. Two seconds are usual; a busy machine may take longer. */
const FIRST_SCRAPE_WITHIN_MS = Number(process.env.FIRST_SCRAPE_WITHIN_MS ?? 10_000)
/** Of an interval: a slot that is missed leaves a whole one. */
const LATE_MAX = 0.9
/** How long a page may take from the exporter to an answer. Generous: a machine's disk can stall for seconds. */
const SHOWN_WITHIN_MS = 30_000

const seed = testSeed()
const random = prng(seed)

/** Waits until a page is shown, and all that were served before it in this server's life with it. */
async function everythingUpTo(api: ApiClient, instance: string, page: number, where: string): Promise<Shown> {
  const deadline = Date.now() + SHOWN_WITHIN_MS
  for (;;) {
    const shown = await everything(api)
    const pages = (shown.get(counterOf(instance)) ?? []).map(([, v]) => Number(v))
    if (pages.includes(page)) return shown
    if (Date.now() > deadline) throw new Error(`${where}: page ${page} is not among ${pages.join(' ')}`)
    await sleep(20)
  }
}

/** Each sample once, and of each scrape that is there the whole page. */
function expectWholePages(after: Shown, instance: string, where: string): void {
  const times = (after.get(counterOf(instance)) ?? []).map(([t]) => t)
  expect(times.length, where).toBeGreaterThan(0)
  const faults: string[] = []
  for (const [metric, values] of after) {
    for (let i = 1; i < values.length; i++) {
      if (values[i][0] <= values[i - 1][0]) faults.push(`${metric}: ${values[i - 1][0]}, ${values[i][0]}`)
    }
    if (!/"(load_level|scrapes_served_total)"/.test(metric)) continue
    if (values.length !== times.length || values.some(([t], i) => t !== times[i])) {
      faults.push(`${metric}: ${values.length} samples where scrapes_served_total has ${times.length}`)
    }
  }
  expect(faults, where).toEqual([])
  const pages = (after.get(counterOf(instance)) ?? []).map(([, v]) => Number(v))
  expect(pages, where).toEqual([...new Set(pages)].sort((a, b) => a - b))
  const levels = [...after].filter(([metric]) => metric.includes('"load_level"'))
  expect(levels.length, where).toBe(SERIES)
  for (const [metric, values] of levels) {
    const i = Number(/"series":"(\d+)"/.exec(metric)![1])
    expect(
      values.map(([, v]) => Number(v)),
      where,
    ).toEqual(pages.map((page) => CountingExporter.valueOf(i, page)))
  }
}

async function expectNoneTwice(api: ApiClient, after: Shown, timeMs: number, where: string): Promise<void> {
  const levels = await api.query('count_over_time(load_level{job="counting"}[1h])', timeMs)
  expect(levels.length, where).toBe(SERIES)
  for (const { metric, value } of levels) {
    const key = [...after.keys()].find((one) => one.includes(`"series":"${metric.series}"`))!
    const distinct = new Set(
      after
        .get(key)!
        .map(([t]) => t)
        .filter((t) => t * 1000 <= timeMs),
    )
    expect(Number(value[1]), `${where} ${key}`).toBe(distinct.size)
  }
}

const THROW_AWAY = '{job="throw-away"}'

/** Deletes what is shown of the second job; returns the newest time of it, Unix s. */
async function throwAway(api: ApiClient, where: string): Promise<number> {
  const newest = Math.max(0, ...(await timesThrownAway(api)))
  const deleted = await api.post(`/api/v1/admin/tsdb/delete_series?match[]=${encodeURIComponent(THROW_AWAY)}`)
  expect(deleted.status, `${where} ${deleted.body}`).toBe(204)
  return newest
}

async function timesThrownAway(api: ApiClient): Promise<number[]> {
  return (await api.matrix(`${THROW_AWAY}[1h]`)).flatMap(({ values }) => values.map(([t]) => t))
}

/** As many requests as slots from the first to the last one: on a busy machine one may come late, and the next one soon after. */
function expectNoSlotMissed(arrivals: readonly number[], where: string): void {
  const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i])
  const slots = gaps.reduce((sum, gap) => sum + gap, 0) / INTERVAL_MS
  expect(Math.abs(slots - gaps.length), `${where} gaps ${gaps.join(' ')}`).toBeLessThan(LATE_MAX)
}

describe(`kill -9, ${KILLS} times`, () => {
  let exporter: CountingExporter
  let server: RunningNarthex
  beforeAll(async () => {
    exporter = await CountingExporter.start(SERIES)
  })
  afterAll(async () => {
    await server.kill()
    await exporter.stop()
  })

  it(
    'loses nothing that was shown, doubles nothing, and misses no scrape after its first',
    async () => {
      process.stdout.write(`kill.test.ts: SEED=${seed}\n`)
      const port = await freePort()
      const dataPath = join(temporaryFolder('narthex-kill-'), 'data')
      const config = [
        'global: {scrape_interval: 1s}',
        'scrape_configs:',
        `- {job_name: counting, static_configs: [{targets: ['${exporter.address}']}]}`,
        `- {job_name: throw-away, metrics_path: /more, static_configs: [{targets: ['${exporter.address}']}]}`,
      ].join('\n')
      const args = ['--storage.head-cut-span=2s', '--web.enable-admin-api']
      const start = () => startNarthex({ config, dataPath, port, args })
      const api = new ApiClient(`http://127.0.0.1:${port}`)
      // Not timed: it may be the program's first start on this machine, its code not compiled and not in memory.
      server = await start()
      await waitUntilReady(server)
      await firstScrapeDelayMs(exporter, server.startedAtMs)

      let deletedUpTo = 0
      for (let round = 1; round <= KILLS; round++) {
        const where = `SEED=${seed} round=${round} pid=${server.pid}`
        await sleep(random.int(1500, 4000))
        const { page } = exporter.served.findLast(({ path }) => path === '/metrics')!
        const before = await everythingUpTo(api, exporter.address, page, where)
        if (random.chance(0.5)) deletedUpTo = Math.max(deletedUpTo, await throwAway(api, where))
        const isCleaning = random.chance(0.3)
        const cleaning = isCleaning && api.post('/api/v1/admin/tsdb/clean_tombstones').catch(() => undefined)
        if (!isCleaning) await sleep(random.int(0, 1000))
        // This one races with the kill, and counts when its answer came through.
        const racing = everything(api).catch(() => before)
        await sleep(random.int(0, 40))
        const killedAtMs = Date.now()
        await server.kill()
        await cleaning
        const shown = await racing
        expectAllOf(before, shown, where)
        const arrivals = exporter.arrivals('/metrics', server.startedAtMs).filter((at) => at <= killedAtMs)
        expectNoSlotMissed(arrivals, where)

        server = await start()
        await waitUntilReady(server)
        const delayMs = await firstScrapeDelayMs(exporter, server.startedAtMs)
        expect(delayMs, `${where} first scrape`).toBeLessThanOrEqual(FIRST_SCRAPE_WITHIN_MS)
        const after = await everything(api)
        expectAllOf(shown, after, where)
        expectWholePages(after, exporter.address, where)
        const back = (await timesThrownAway(api)).filter((t) => t <= deletedUpTo)
        expect(back, `${where} deleted up to ${deletedUpTo}`).toEqual([])
        // Not up to now: a scrape may be on its way between the two queries.
        const newestMs = 1000 * Math.max(...after.get(counterOf(exporter.address))!.map(([t]) => Number(t)))
        await expectNoneTwice(api, after, newestMs, where)
      }
      await waitForBlock(join(dataPath, 'narthex', 'blocks'))
      expect(await server.stop()).toBe(0)
    },
    60_000 + KILLS * 25_000,
  )
})

/** A life between two kills may be too short for one to be written; the last life is long enough. */
async function waitForBlock(folder: string): Promise<void> {
  const deadline = Date.now() + BLOCK_WITHIN_MS
  while (readdirSync(folder).length === 0) {
    expect(Date.now(), `SEED=${seed} no block in ${folder}`).toBeLessThan(deadline)
    await sleep(100)
  }
}

/** Waits for the first request of this life: ms from the start of the process, Infinity when none comes. */
async function firstScrapeDelayMs(exporter: CountingExporter, startedAtMs: number): Promise<number> {
  const deadline = startedAtMs + 5 * FIRST_SCRAPE_WITHIN_MS
  while (Date.now() < deadline) {
    const [first] = exporter.arrivals('/metrics', startedAtMs)
    if (first !== undefined) return first - startedAtMs
    await sleep(20)
  }
  return Number.POSITIVE_INFINITY
}
