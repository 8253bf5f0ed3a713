// Goal: a reload either takes the whole new file or changes nothing, and the metrics say which. Method: a real
// file in a temporary folder that is rewritten between reloads.
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/problem.ts'
import { ConfigManager, type ConfigManagerOptions, ReloadError } from '../../src/config/reload.ts'
import { createLogger } from '../../src/telemetry/log.ts'
import { createRegistry, render } from '../../src/telemetry/metrics.ts'

let folder: string
let file: string
let registry: Registry
let logged: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-config-'))
  file = join(folder, 'prometheus.yml')
  registry = createRegistry()
  logged = []
})

afterEach(() => rmSync(folder, { recursive: true }))

function manager(options: Partial<ConfigManagerOptions> = {}): ConfigManager {
  const logger = createLogger({
    level: 'info',
    format: 'logfmt',
    destination: { write: (line) => logged.push(line) },
  })
  return new ConfigManager({
    fileName: file,
    defaultTarget: undefined,
    skipUnsupported: false,
    extraScrapeMetrics: false,
    logger,
    registry,
    ...options,
  })
}

async function metric(name: string): Promise<number | undefined> {
  const line = (await render(registry)).split('\n').find((text) => text.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length))
}

const SUCCESSFUL = 'prometheus_config_last_reload_successful'
const SUCCESS_TIME = 'prometheus_config_last_reload_success_timestamp_seconds'
const jobs = (...names: string[]) =>
  `scrape_configs:\n${names.map((name) => `- job_name: ${name}\n`).join('')}`

describe('load', () => {
  it('reads the file and says so', async () => {
    writeFileSync(file, jobs('a'))
    const config = manager()
    expect(() => config.current).toThrow('no configuration is loaded yet')
    expect(config.load().scrapeConfigs.map(({ jobName }) => jobName)).toEqual(['a'])
    expect(config.current.scrapeConfigs).toHaveLength(1)
    expect(await metric(SUCCESSFUL)).toBe(1)
    expect(Math.abs((await metric(SUCCESS_TIME))! - Date.now() / 1000)).toBeLessThan(60)
  })

  it('throws what is wrong', () => {
    writeFileSync(file, 'x: 1')
    const config = manager()
    expect(() => config.load()).toThrow(ConfigError)
    unlinkSync(file)
    expect(() => config.load()).toThrow(`open ${file}: no such file or directory`)
    writeFileSync(file, Buffer.from([0x61, 0x3a, 0x20, 0xff]))
    expect(() => config.load()).toThrow(`parsing YAML file ${file}: yaml: invalid UTF-8`)
  })

  it('falls back to watching itself where no file was asked for', () => {
    const config = manager({ defaultTarget: '0.0.0.0:9191' })
    const [job] = config.load().scrapeConfigs
    expect(job).toMatchObject({ jobName: 'narthex', scrapeIntervalMs: 5000 })
    expect(job.staticConfigs[0].targets[0].get('__address__')).toBe('127.0.0.1:9191')
    expect(config.fileName).toBe('<default configuration>')
  })

  it('prefers a file to the fallback', () => {
    writeFileSync(file, jobs('own'))
    const config = manager({ defaultTarget: '0.0.0.0:9191' })
    expect(config.load().scrapeConfigs[0].jobName).toBe('own')
    expect(config.fileName).toBe(file)
  })

  it('warns about each section that it skips, and counts it', async () => {
    writeFileSync(file, 'rule_files: [r.yml]\nalerting: {alertmanagers: [{scheme: https}]}\n')
    manager({ skipUnsupported: true }).load()
    const warnings = logged.filter((line) => line.includes('level=WARN'))
    expect(warnings.map((line) => /section=(\S+)/.exec(line)![1])).toEqual(['alerting', 'rule_files'])
    expect(await metric('narthex_config_unsupported_section{section="alerting"}')).toBe(1)
  })
})

describe('reload', () => {
  it('hands a good file to the subscribers in order', async () => {
    writeFileSync(file, jobs('a'))
    const config = manager()
    config.load()
    const seen: string[] = []
    config.subscribe('first', async ({ scrapeConfigs }) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      seen.push(`first ${scrapeConfigs[0].jobName}`)
    })
    config.subscribe('second', ({ scrapeConfigs }) => void seen.push(`second ${scrapeConfigs[0].jobName}`))
    await config.applyCurrent()
    writeFileSync(file, jobs('b'))
    await config.reload()
    expect(seen).toEqual(['first a', 'second a', 'first b', 'second b'])
    expect(config.current.scrapeConfigs[0].jobName).toBe('b')
  })

  it('keeps the old one when the file is wrong', async () => {
    writeFileSync(file, jobs('a'))
    const config = manager()
    config.load()
    const timeBefore = await metric(SUCCESS_TIME)
    const seen: string[] = []
    config.subscribe('any', ({ scrapeConfigs }) => void seen.push(scrapeConfigs[0].jobName))
    const before = config.current

    writeFileSync(file, jobs('b', 'b'))
    const error = await config.reload().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ReloadError)
    expect((error as Error).message).toBe(
      `couldn't load configuration (--config.file="${file}"): parsing YAML file ${file}: ${file}:3:3: found multiple scrape configs with job name "b", expected another name, as line 2 has it already`,
    )
    unlinkSync(file)
    await expect(config.reload()).rejects.toThrow(
      `couldn't load configuration (--config.file="${file}"): open ${file}: no such file or directory`,
    )
    expect(config.current).toBe(before)
    expect(seen).toEqual([])
    expect(await metric(SUCCESSFUL)).toBe(0)
    expect(await metric(SUCCESS_TIME)).toBe(timeBefore)

    writeFileSync(file, jobs('c'))
    await config.reload()
    expect(seen).toEqual(['c'])
    expect(await metric(SUCCESSFUL)).toBe(1)
  })

  it('goes on with the others when a subscriber fails, and says that it failed', async () => {
    writeFileSync(file, jobs('a'))
    const config = manager()
    config.load()
    const seen: string[] = []
    config.subscribe('broken', () => {
      throw new Error('no disk')
    })
    config.subscribe('sound', ({ scrapeConfigs }) => void seen.push(scrapeConfigs[0].jobName))
    writeFileSync(file, jobs('b'))
    await expect(config.reload()).rejects.toThrow(
      `one or more errors occurred while applying the new configuration (--config.file="${file}")`,
    )
    expect(seen).toEqual(['b'])
    expect(config.current.scrapeConfigs[0].jobName).toBe('b')
    expect(await metric(SUCCESSFUL)).toBe(0)
    expect(logged.join('')).toContain('msg="Failed to apply configuration" subsystem=broken err="no disk"')
  })

  it('does requests that come together one after the other', async () => {
    writeFileSync(file, jobs('a'))
    const config = manager()
    config.load()
    let running = 0
    let runs = 0
    config.subscribe('slow', async () => {
      running++
      expect(running).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
      runs++
    })
    await Promise.all([config.reload(), config.reload(), config.applyCurrent()])
    expect(runs).toBe(3)
  })

  it('forgets sections that are no longer there', async () => {
    writeFileSync(file, 'rule_files: [r.yml]')
    const config = manager({ skipUnsupported: true })
    config.load()
    writeFileSync(file, '')
    await config.reload()
    expect(await metric('narthex_config_unsupported_section{section="rule_files"}')).toBeUndefined()
  })
})
