// Goal: what a person sees who starts the program for the first time, and again; and who starts it wrongly.
// Method: the real program as a process; asked over HTTP; ended by signals. Nothing else is needed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ApiClient, type MatrixSeries } from '../harness/api-client.ts'
import { freePort, runNarthex, startNarthex, temporaryFolder, waitUntilReady } from '../harness/server.ts'

const UP_WITHIN_MS = 15_000

/** Asks again and again until there is an answer, at most `withinMs`. */
async function eventually<T>(withinMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`no answer within ${withinMs} ms`)
    await sleep(100)
  }
}

describe('without a configuration file', () => {
  it('watches itself within 15 s, stops on SIGTERM, and knows the past after a restart', async () => {
    const dataPath = join(temporaryFolder('narthex-first-'), 'data')
    const port = await freePort()
    const server = await startNarthex({ dataPath, port })
    const api = new ApiClient(server.url)
    await waitUntilReady(server, UP_WITHIN_MS)

    const up = await eventually(server.startedAtMs + UP_WITHIN_MS - Date.now(), async () => {
      const vector = await api.query('up')
      return vector.length > 0 ? vector : undefined
    })
    expect(up.map(({ metric, value }) => [metric, value[1]])).toEqual([
      [{ __name__: 'up', instance: `127.0.0.1:${port}`, job: 'narthex' }, '1'],
    ])

    const line = await eventually(15_000, async () => {
      const nowMs = Date.now()
      const series = await api.queryRange('rate(process_cpu_seconds_total[1m])', nowMs - 60_000, nowMs, 1000)
      return series.length > 0 ? series : undefined
    })
    expect(line).toHaveLength(1)
    for (const [, rate] of line[0].values) expect(Number(rate)).toBeGreaterThanOrEqual(0)

    const targets = await api.activeTargets()
    expect(targets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([
      { health: 'up', lastError: '' },
    ])

    const before = await api.matrix('{job="narthex"}[1h]')
    expect(before.length).toBeGreaterThan(20)
    expect(await server.stop()).toBe(0)
    expect(server.logs()).toContain('See you next time!')

    const again = await startNarthex({ dataPath, port })
    await waitUntilReady(again)
    const after = samplesByMetric(await new ApiClient(again.url).matrix('{job="narthex"}[1h]'))
    for (const { metric, values } of before) {
      const kept = after.get(JSON.stringify(metric))
      expect(kept?.slice(0, values.length), JSON.stringify(metric)).toEqual(values)
    }
    expect(await again.stop()).toBe(0)
  }, 90_000)
})

function samplesByMetric(matrix: readonly MatrixSeries[]): Map<string, MatrixSeries['values']> {
  return new Map(matrix.map(({ metric, values }) => [JSON.stringify(metric), values]))
}

describe('a start that goes wrong', () => {
  const folder = temporaryFolder('narthex-wrong-')
  const ownFlags = ['--web.listen-address=127.0.0.1:0', `--storage.tsdb.path=${join(folder, 'data')}`]
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return `--config.file=${join(folder, name)}`
  }

  it('names every fault of a configuration by line and column, and exits with 2', async () => {
    const text = 'global:\n  scrape_intervall: 5s\nscrape_configs:\n- job_name: a\n  scrape_timeout: 1x\n'
    const flag = write('faulty.yml', text)
    const { code, stderr } = await runNarthex([flag, ...ownFlags], folder)
    expect(code, stderr).toBe(2)
    expect(stderr).toMatch(/faulty\.yml:2:3: .*scrape_intervall/)
    expect(stderr).toMatch(/faulty\.yml:5:19: .*1x/)
    expect(stderr).toContain('Error loading config')
  })

  it('refuses a section that is not built yet, unless told to skip it', async () => {
    const flag = write(
      'stock.yml',
      "alerting:\n  alertmanagers:\n  - static_configs:\n    - targets: ['localhost:9093']\n",
    )
    const { code, stderr } = await runNarthex([flag, ...ownFlags], folder)
    expect(code, stderr).toBe(2)
    expect(stderr).toMatch(/stock\.yml:1:1: .*alerting/)
  })

  it('says which file is missing, and exits with 2', async () => {
    const { code, stderr } = await runNarthex(['--config.file=nowhere.yml', ...ownFlags], folder)
    expect(code, stderr).toBe(2)
    expect(stderr).toContain('nowhere.yml: no such file or directory')
  })

  it('knows the nearest name of a flag that there is not, and exits with 1', async () => {
    const { code, stderr } = await runNarthex(['--web.listen-adress=127.0.0.1:0'], folder)
    expect(code, stderr).toBe(1)
    expect(stderr).toContain("unknown long flag '--web.listen-adress', did you mean '--web.listen-address'?")
  })

  it('exits with 1 when somebody listens on its port', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    const flags = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${join(folder, 'port')}`]
    const { code, stderr } = await runNarthex(flags, folder)
    other.close()
    expect(code, stderr).toBe(1)
    expect(stderr).toContain(`127.0.0.1:${port}`)
    expect(stderr).toMatch(/address already in use/i)
  })

  it('exits with 1 when another server has its data folder, and leaves that one alone', async () => {
    const server = await startNarthex()
    const flags = ['--web.listen-address=127.0.0.1:0', `--storage.tsdb.path=${server.dataPath}`]
    const { code, stderr } = await runNarthex(flags, folder)
    expect(code, stderr).toBe(1)
    expect(stderr).toMatch(/in use by process \d+/)
    await waitUntilReady(server)
    expect(await server.stop()).toBe(0)
  })

  it('leaves the blocks of Prometheus in its data folder as they are, and says how many it does not read', async () => {
    const dataPath = join(folder, 'foreign')
    const block = join(dataPath, '01GVTM1N8ZJ2X4V7Q9R3S5T6W8')
    mkdirSync(block, { recursive: true })
    writeFileSync(join(block, 'meta.json'), '{"version":1}')
    const server = await startNarthex({ dataPath })
    await waitUntilReady(server)
    expect(await server.stop()).toBe(0)
    const warnings = server
      .logs()
      .split('\n')
      .filter((line) => line.includes('level=WARN'))
    expect(warnings.filter((line) => /block/i.test(line) && /\b1\b/.test(line)).length, server.logs()).toBe(1)
  })
})

describe('what only shows something', () => {
  it('prints help and version to stdout and exits with 0', async () => {
    const folder = temporaryFolder('narthex-show-')
    const help = await runNarthex(['--help'], folder)
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('--storage.tsdb.path')
    const version = await runNarthex(['--version'], folder)
    expect(version.code).toBe(0)
    expect(version.stdout).toMatch(
      /^narthex, version \d+\.\d+\.\d+ \(compatible with prometheus, version 3\.14\.0\)/,
    )
  })
})
