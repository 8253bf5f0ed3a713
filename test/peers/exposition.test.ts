// Goal: a damaged page gives the same `up` and `scrape_samples_scraped` under Debian's Prometheus 2.42 as by our
// parser. Method: 2,000 damaged pages, each a target of its own, are served on the loopback and scraped by it; our
// side counts as a scrape loop would.
//
// Kept out, because 2.42 differs by design from the version that we follow:
//   quoted metric and label names        came with 3.0 (UTF-8 names)
//   a quoted name in HELP and TYPE       came with 3.0
//   a blank or unknown Content-Type      2.42 takes it as text, 3.x wants a fallback protocol
// and because the answer depends on the clock:
//   a label twice in a sample with a timestamp    refused, or dropped before that as too old
// Followed here as 2.42 does it, since it only concerns names: they must be legacy names, which a blank before a
// name breaks. `le` and `quantile` are written differently since 3.0, which changes no count.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ExpositionError } from '../../src/exposition/exposition-error.ts'
import { ENTRY_EOF, ENTRY_SERIES, TextParser } from '../../src/exposition/text-parser.ts'
import { isLegacyMetricName } from '../../storage/model/labels.ts'
import { ExpositionMutator } from '../harness/exposition-mutator.ts'
import { queryApi, startPrometheus } from '../harness/peer.ts'
import { prng, testSeed } from '../harness/prng.ts'

const PAGES = 2_000
const LINES_MAX = 30

interface Outcome {
  up: number
  scraped: number
}

describe('damaged pages', () => {
  it(`are scraped alike, ${PAGES} of them`, { timeout: 180_000 }, async () => {
    const seed = testSeed()
    const mutator = new ExpositionMutator(prng(seed))
    const pages: Buffer[] = []
    let keptOut = 0
    while (pages.length < PAGES) {
      const page = mutator.next(LINES_MAX)
      if (isComparable(page)) pages.push(page)
      else keptOut++
    }
    expect(keptOut, `SEED=${seed}`).toBeLessThan(PAGES / 2)
    const theirs = await scrapeAll(pages)
    const different: string[] = []
    let failed = 0
    for (const [i, page] of pages.entries()) {
      const ours = scrape(page)
      if (ours.up === 0) failed++
      const found = theirs.get(String(i))
      if (found?.up === ours.up && found.scraped === ours.scraped) continue
      different.push(JSON.stringify({ page: page.toString('latin1'), ours, theirs: found }))
    }
    expect(different, `SEED=${seed}`).toEqual([])
    expect(failed, `SEED=${seed}`).toBeGreaterThan(PAGES / 4)
    expect(failed, `SEED=${seed}`).toBeLessThan((PAGES * 9) / 10)
  })
})

function isComparable(page: Buffer): boolean {
  const text = page.toString('latin1')
  const hasQuotedName = /[{,"\0][ \t]*"[^"]*"[ \t]*[=,}]|^[ \t]*\{[ \t]*"/m.test(text)
  return !hasQuotedName && !/#[ \t]+[HT\0]\S*[ \t\0]+"/.test(text) && !hasLateRepeat(page)
}

/** As a scrape loop counts: a sample that fails the scrape is counted before it fails. */
function scrape(page: Buffer): Outcome {
  const parser = new TextParser(page)
  let scraped = 0
  try {
    for (let entry = parser.next(); entry !== ENTRY_EOF; entry = parser.next()) {
      if (entry !== ENTRY_SERIES) continue
      scraped++
      const labels = parser.rawLabels()
      if (!isLegacyMetricName(labels[1]) || hasRepeat(labels)) return { up: 0, scraped }
    }
  } catch (error) {
    if (error instanceof ExpositionError) return { up: 0, scraped }
    throw error
  }
  return { up: 1, scraped }
}

/** Whether a name comes twice; an empty value takes all labels of its name away. */
function hasRepeat(labels: readonly string[]): boolean {
  const names = labels.filter((_, i) => i % 2 === 0)
  const empty = new Set(names.filter((_, i) => labels[2 * i + 1] === ''))
  const rest = names.filter((name) => !empty.has(name))
  return new Set(rest).size < rest.length
}

function hasLateRepeat(page: Buffer): boolean {
  const parser = new TextParser(page)
  try {
    for (let entry = parser.next(); entry !== ENTRY_EOF; entry = parser.next()) {
      const isLate = entry === ENTRY_SERIES && !Number.isNaN(parser.timestampMs)
      if (isLate && hasRepeat(parser.rawLabels())) return true
    }
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error
  }
  return false
}

/** Outcomes by the number of the page. */
async function scrapeAll(pages: readonly Buffer[]): Promise<Map<string, Outcome>> {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end(pages[Number(request.url!.slice(1))])
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const static_configs = pages.map((_, i) => ({
    targets: [address],
    labels: { __metrics_path__: `/${i}`, page: String(i) },
  }))
  const scrape_configs = [{ job_name: 'pages', scrape_interval: '5s', static_configs }]
  // YAML is a superset of JSON.
  const peer = await startPrometheus({ config: JSON.stringify({ scrape_configs }) })
  try {
    for (;;) {
      const up = await lastValues(peer.url, 'up')
      const scraped = await lastValues(peer.url, 'scrape_samples_scraped')
      if (up.size === pages.length && scraped.size === pages.length) {
        return new Map([...up].map(([page, value]) => [page, { up: value, scraped: scraped.get(page)! }]))
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  } finally {
    await peer.stop()
    server.closeAllConnections()
    server.close()
  }
}

/** Of the synthetic series of this name, by page. */
async function lastValues(url: string, name: string): Promise<Map<string, number>> {
  const { result } = await queryApi<{
    result: { metric: Record<string, string>; value: [number, string] }[]
  }>(url, 'query', { query: `${name}{job="pages"}` })
  const synthetic = result.filter(({ metric }) => Object.keys(metric).length === 4)
  return new Map(synthetic.map(({ metric, value }) => [metric.page, Number(value[1])]))
}
