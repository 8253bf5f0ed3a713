// Goal: a reload touches what changed and nothing else, and a broken file touches nothing.
// Method: the real program scrapes three paths of one exporter in this process, which notes each request; the
// file is rewritten and reloaded by SIGHUP and by /-/reload in turn; requests are counted by second.
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiClient } from '../harness/api-client.ts'
import { CountingExporter } from '../harness/exporters/counting.ts'
import { type RunningNarthex, startNarthex, waitUntilReady } from '../harness/server.ts'

const SUCCESSFUL = 'prometheus_config_last_reload_successful'
const GAP_MAX_MS = 1500
const GAP_MIN_MS = 500

let exporter: CountingExporter
let server: RunningNarthex
let api: ApiClient

/** Two jobs that stay as they are, and one whose text is given. */
function configWith(changing: string): string {
  const job = (name: string) =>
    `- {job_name: ${name}, metrics_path: /${name}, static_configs: [{targets: ['${exporter.address}']}]}`
  return ['global: {scrape_interval: 1s}', 'scrape_configs:', job('steady'), changing, job('calm'), ''].join(
    '\n',
  )
}

function changingJob(step: number): string {
  const target = `static_configs: [{targets: ['${exporter.address}'], labels: {step: '${step}'}}]`
  return `- {job_name: changing, metrics_path: /changing, ${target}}`
}

async function until(withinMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (Date.now() < deadline) {
    if (await holds()) return true
    await sleep(50)
  }
  return false
}

const steps = async () => (await api.query('up{job="changing"}')).map(({ metric }) => metric.step)

function gaps(path: string, sinceMs: number): number[] {
  const arrivals = exporter.arrivals(path, sinceMs)
  return arrivals.slice(1).map((at, i) => at - arrivals[i])
}

beforeAll(async () => {
  exporter = await CountingExporter.start(10)
  server = await startNarthex({ config: configWith(changingJob(0)), args: ['--web.enable-lifecycle'] })
  api = new ApiClient(server.url)
  await waitUntilReady(server)
  const isScraped = async () =>
    ['/steady', '/changing', '/calm'].every((path) => exporter.arrivals(path).length > 0)
  expect(await until(10_000, isScraped), server.logs()).toBe(true)
}, 30_000)

afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await exporter.stop()
})

describe('a reload of one job', () => {
  it('costs the other jobs no scrape, by SIGHUP and over HTTP', async () => {
    const sinceMs = Date.now()
    for (let step = 1; step <= 6; step++) {
      writeFileSync(server.configPath, configWith(changingJob(step)))
      if (step % 2 === 0) server.signal('SIGHUP')
      else expect(await api.post('/-/reload')).toMatchObject({ status: 200 })
      expect(await until(5000, async () => (await steps()).includes(String(step))), `step ${step}`).toBe(true)
      // Not at the same moment of the interval each time.
      await sleep(300 * step)
    }
    expect(await api.ownMetric(SUCCESSFUL)).toBe(1)
    for (const path of ['/steady', '/calm']) {
      const all = gaps(path, sinceMs)
      expect(all.length, path).toBeGreaterThan(5)
      expect(
        all.filter((gap) => gap > GAP_MAX_MS || gap < GAP_MIN_MS),
        `${path}: ${all.join(' ')}`,
      ).toEqual([])
    }
  }, 60_000)

  it('ends the series of the targets that went where their next scrape would have been, and only those', async () => {
    expect(await until(10_000, async () => (await steps()).join() === '6'), (await steps()).join()).toBe(true)
    writeFileSync(server.configPath, configWith(changingJob(100)))
    expect((await api.post('/-/reload')).status).toBe(200)
    expect(await until(10_000, async () => (await steps()).join() === '100'), (await steps()).join()).toBe(
      true,
    )
    expect((await api.query('up == 1')).map(({ metric }) => metric.job).sort()).toEqual([
      'calm',
      'changing',
      'steady',
    ])
    const [gone] = await api.matrix('up{job="changing",step="6"}[5m]')
    const lastMs = gone.values.at(-1)![0] * 1000
    const seenAt = async (timeMs: number) => (await api.query('up{job="changing",step="6"}', timeMs)).length
    expect(await seenAt(lastMs + 900)).toBe(1)
    expect(await seenAt(lastMs + 1100)).toBe(0)
  }, 30_000)

  it('keeps the loops of a configuration that says the same', async () => {
    const sinceMs = Date.now()
    for (let i = 0; i < 5; i++) {
      server.signal('SIGHUP')
      await sleep(700)
    }
    for (const path of ['/steady', '/changing', '/calm']) {
      const all = gaps(path, sinceMs)
      expect(
        all.filter((gap) => gap > GAP_MAX_MS || gap < GAP_MIN_MS),
        `${path}: ${all.join(' ')}`,
      ).toEqual([])
    }
  }, 30_000)
})

describe('a broken file', () => {
  it('changes nothing, is answered with 500 and its faults, and shows in the metrics until it is mended', async () => {
    const sinceMs = Date.now()
    const good = configWith(changingJob(200))
    writeFileSync(server.configPath, good)
    expect((await api.post('/-/reload')).status).toBe(200)
    const configBefore = await api.data<{ yaml: string }>('/status/config')

    writeFileSync(server.configPath, `${good}scrape_intervall: 1s\n`)
    const { status, body } = await api.post('/-/reload')
    expect(status).toBe(500)
    const start = `failed to reload config: couldn't load configuration (--config.file="${server.configPath}"): `
    expect(body.slice(0, start.length)).toBe(start)
    expect(body).toContain('scrape_intervall')
    expect(await api.ownMetric(SUCCESSFUL)).toBe(0)
    expect(await api.data('/status/config')).toEqual(configBefore)
    expect(await api.data('/status/runtimeinfo')).toMatchObject({ reloadConfigSuccess: false })

    const logged = server.logs().length
    server.signal('SIGHUP')
    const isLogged = async () => /level=ERROR .*Error reloading config/.test(server.logs().slice(logged))
    expect(await until(5000, isLogged), server.logs().slice(logged)).toBe(true)

    await sleep(3000)
    for (const path of ['/steady', '/calm']) {
      const all = gaps(path, sinceMs)
      expect(
        all.filter((gap) => gap > GAP_MAX_MS || gap < GAP_MIN_MS),
        `${path}: ${all.join(' ')}`,
      ).toEqual([])
    }
    expect((await api.query('up{job="changing", step="200"}')).map(({ value }) => value[1])).toEqual(['1'])

    writeFileSync(server.configPath, good)
    expect((await api.post('/-/reload')).status).toBe(200)
    expect(await api.ownMetric(SUCCESSFUL)).toBe(1)
  }, 40_000)
})

describe('/-/reload', () => {
  it('is not there for GET, and refused without --web.enable-lifecycle', async () => {
    expect(await api.get('/-/reload')).toEqual({ status: 405, body: 'Only POST or PUT requests allowed' })
    const closed = await startNarthex({ config: configWith(changingJob(0)) })
    const reply = await new ApiClient(closed.url).post('/-/reload')
    expect(await closed.stop()).toBe(0)
    expect(reply).toEqual({ status: 403, body: 'Lifecycle API is not enabled.' })
  })
})
