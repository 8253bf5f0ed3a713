// Goal: whatever order lines come in, the cache says of each what a plain map of the last good scrape would say. Method:
// random pages against that map.
import { describe, expect, it } from 'vitest'
import { CachedSeries, SeriesCache } from '../../src/scrape/series-cache.ts'
import { Labels } from '../../storage/model/labels.ts'
import { prng } from '../harness/prng.ts'

describe('SeriesCache', () => {
  it('knows the lines of the scrapes since the last good one, in any order', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e9)
    const random = prng(seed)
    const cache = new SeriesCache()
    let known = new Map<string, CachedSeries>()
    for (let run = 0; run < 2000; run++) {
      const message = `SEED=${seed} run=${run}`
      const seen = new Map<string, CachedSeries>()
      const first = random.int(0, 20)
      const lines = Array.from({ length: random.int(0, 12) }, (_, i) =>
        random.chance(0.8) ? `m${first + i}` : `m${random.int(0, 30)}`,
      )
      for (const line of lines) {
        let series = cache.get(line)
        expect(series, message).toBe(known.get(line))
        if (series === undefined) {
          series = new CachedSeries(line, Labels.from({ __name__: line }), run + 1, cache.scrape)
          cache.add(series)
        }
        series.seenAt = cache.scrape
        known.set(line, series)
        seen.set(line, series)
      }
      const isGood = random.chance(0.7)
      cache.endScrape(isGood)
      if (isGood) known = seen
      if (random.chance(0.05)) {
        cache.forgetLines()
        known = new Map()
      }
    }
  })
})
