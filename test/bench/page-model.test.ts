// Goal: the pages that figures are measured with are what bench/page-model.ts says. Method: pages of some steps, read
// line by line.
import { describe, expect, it } from 'vitest'
import { PageModel } from '../../bench/page-model.ts'

const SERIES = 2000
const STEPS = 40

function valuesOf(page: string): Map<string, string> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const values = new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
  )
  expect(values.size).toBe(lines.length)
  return values
}

describe('a page of the exporter', () => {
  const model = new PageModel(1, 'a', SERIES)
  const pages = Array.from({ length: STEPS }, () => {
    model.step()
    return valuesOf(model.render())
  })

  it('has the series it was asked for, the same on each page', () => {
    for (const page of pages) expect([...page.keys()]).toEqual([...pages[0].keys()])
    expect(pages[0].size).toBe(SERIES)
    expect(model.series).toBe(SERIES)
  })

  it('leaves half of them as they are', () => {
    const still = [...pages[0].keys()].filter((key) =>
      pages.every((page) => page.get(key) === pages[0].get(key)),
    )
    expect(still.length).toBe(SERIES / 2)
  })

  it('never resets a counter, and a quarter of all are whole ones', () => {
    const counters = [...pages[0].keys()].filter((key) => /_(requests_total|bucket|count)\{/.test(key))
    expect(counters.length).toBe(SERIES / 4)
    for (const key of counters) {
      const values = pages.map((page) => Number(page.get(key)))
      expect(values.every(Number.isInteger), key).toBe(true)
      expect(
        values.every((value, i) => i === 0 || value > values[i - 1]),
        key,
      ).toBe(true)
    }
  })

  it('has buckets that hold those below them, up to the count', () => {
    const last = [...pages[STEPS - 1]]
    let histograms = 0
    for (let i = 0; i < last.length; i++) {
      const [key, value] = last[i]
      if (key.includes('_bucket{') && !key.includes('le="0.005"')) {
        expect(Number(value), key).toBeGreaterThanOrEqual(Number(last[i - 1][1]))
      }
      if (!key.includes('le="+Inf"')) continue
      histograms++
      expect(last[i + 2][0]).toContain('_count{')
      expect(last[i + 2][1]).toBe(value)
    }
    expect(histograms).toBe(25)
  })

  it('writes large and tiny numbers with an exponent of two digits', () => {
    const texts = pages.flatMap((page) => [...page.values()])
    expect(
      texts.filter((text) => text.includes('e')).every((text) => /^-?\d(\.\d+)?e[+-]\d\d$/.test(text)),
    ).toBe(true)
    expect(texts.some((text) => /e\+09$/.test(text))).toBe(true)
  })
})
