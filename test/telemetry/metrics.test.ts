// Goal: own metrics have the names and the form that dashboards and scrapers expect. Method: render and look.
import { Counter } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createRegistry, render, setReady, setUnsupportedSections } from '../../src/telemetry/metrics.ts'

function samples(text: string): Map<string, number> {
  const entries = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): [string, number] => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' '))),
    ])
  return new Map(entries)
}

describe('createRegistry', () => {
  it('knows the process under the standard names', async () => {
    const found = samples(await render(createRegistry()))
    expect(found.get('process_resident_memory_bytes')).toBeGreaterThan(10e6)
    expect(found.get('process_virtual_memory_bytes')).toBeGreaterThan(
      found.get('process_resident_memory_bytes')!,
    )
    expect(found.get('process_open_fds')).toBeGreaterThan(2)
    expect(found.get('process_max_fds')).toBeGreaterThanOrEqual(found.get('process_open_fds')!)
    expect(Math.abs(found.get('process_start_time_seconds')! - Date.now() / 1000)).toBeLessThan(3600)
  })

  it('counts CPU time up, not twice', async () => {
    const registry = createRegistry()
    const before = samples(await render(registry)).get('process_cpu_seconds_total')!
    const after = samples(await render(registry)).get('process_cpu_seconds_total')!
    expect(before).toBeGreaterThan(0)
    expect(after).toBeGreaterThanOrEqual(before)
    expect(after - before).toBeLessThan(before)
  })

  it('says what is built and whether it is ready', async () => {
    const registry = createRegistry()
    const build = [...samples(await render(registry)).keys()].find((key) =>
      key.startsWith('prometheus_build_info'),
    )
    expect(build).toContain('version="3.14.0"')
    setReady(registry, true)
    expect(samples(await render(registry)).get('prometheus_ready')).toBe(1)
    setReady(registry, false)
    expect(samples(await render(registry)).get('prometheus_ready')).toBe(0)
  })

  it('replaces the unsupported sections', async () => {
    const registry = createRegistry()
    setUnsupportedSections(registry, ['alerting', 'scrape_configs[a "b"].tls_config'])
    setUnsupportedSections(registry, ['scrape_configs[a "b"].tls_config'])
    const found = [...samples(await render(registry))].filter(([key]) => key.includes('unsupported'))
    expect(found).toEqual([
      ['narthex_config_unsupported_section{section="scrape_configs[a \\"b\\"].tls_config"}', 1],
    ])
  })
})

describe('render', () => {
  it('leaves out families without samples and sorts the rest', async () => {
    const registry = createRegistry()
    new Counter({ name: 'a_labelled_total', help: 'h', labelNames: ['l'], registers: [registry] })
    const text = await render(registry)
    expect(text).not.toContain('a_labelled_total')
    expect(text).not.toContain('narthex_config_unsupported_section')
    const names = text
      .split('\n')
      .filter((line) => line.startsWith('# HELP'))
      .map((line) => line.split(' ')[2])
    expect(names).toEqual([...names].sort())
    expect(text).toMatch(/[0-9]\n$/)
    expect(text).not.toContain('\n\n')
  })
})
