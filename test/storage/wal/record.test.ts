// Goal: pages give back what was put in, bit for bit; damage of any byte is noticed; behind it nothing is invented.
// Method: hand-made rows, then random histories of a generation against the list of what was appended.
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import {
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
} from '../../../storage/model/sample.ts'
import type { Page } from '../../../storage/store.ts'
import { GenerationReader, type PageVisitor } from '../../../storage/wal/generation-reader.ts'
import { PageBuilder, pageKey, parsePageKey, sealPage } from '../../../storage/wal/record.ts'
import type { SampleBatch } from '../../../storage/wal/samples.ts'
import type { LoggedSamples } from '../../../storage/wal/samples-reader.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

/** index, t, v, kind, lastV, isKey */
type Row = readonly [number, number, number, number, number?, number?]

const bits = new BigUint64Array(1)
const float = new Float64Array(bits.buffer)

function text(
  index: number,
  t: number,
  v: number,
  kind: number,
  histograms: readonly FloatHistogram[],
  st = 0,
): string {
  float[0] = v
  const value =
    kind === KIND_FLOAT
      ? bits[0].toString(16)
      : kind === KIND_STALE
        ? 'stale'
        : JSON.stringify(Object.entries(histograms[v]).sort())
  return `${index} ${t} ${kind} ${value}${st === 0 ? '' : ` since ${st}`}`
}

class Recorder implements PageVisitor {
  readonly lines: string[] = []
  series(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.lines.push(`series ${index} ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`)
  }
  samples({ length, index, t, v, kind, st, histograms }: LoggedSamples): void {
    for (let i = 0; i < length; i++) this.lines.push(text(index[i], t[i], v[i], kind[i], histograms, st[i]))
  }
}

function batchOf(rows: readonly Row[], histograms: readonly FloatHistogram[] = []): SampleBatch {
  const batch = {
    length: rows.length,
    index: Uint32Array.from(rows, ([index]) => index),
    t: Float64Array.from(rows, ([, t]) => t),
    v: new Float64Array(rows.length),
    kind: Uint8Array.from(rows, ([, , , kind]) => kind),
    st: new Float64Array(0),
    lastV: new Float64Array(rows.length),
    isKey: Uint8Array.from(rows, (row) => row[5] ?? 1),
    histograms,
  }
  for (const [i, row] of rows.entries()) {
    batch.v[i] = row[2]
    batch.lastV[i] = row[4] ?? 0
  }
  return batch
}

function bytesOf(labels: Record<string, string>): LabelBytes {
  const bytes = new LabelBytes()
  bytes.set(Labels.from(labels))
  return bytes
}

function read(pages: readonly Page[]): { lines: string[]; reader: GenerationReader } {
  const recorder = new Recorder()
  const reader = new GenerationReader(1, recorder)
  for (const page of pages) reader.read(page)
  return { lines: recorder.lines, reader }
}

function recorded(page: Page): string[] {
  const { lines, reader } = read([page])
  expect(reader.damage.filter(({ what }) => !what.endsWith('missing'))).toEqual([])
  return lines
}

const HISTOGRAMS: readonly FloatHistogram[] = [
  EMPTY_HISTOGRAM,
  {
    ...EMPTY_HISTOGRAM,
    counterResetHint: 'not_reset',
    schema: 3,
    zeroThreshold: 1e-128,
    zeroCount: 2,
    count: 2 ** 40 + 12,
    sum: -7.25,
    positiveSpans: [
      { offset: -4, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveBuckets: [5, 2 ** 40, 0],
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: [5],
  },
  {
    ...EMPTY_HISTOGRAM,
    counterResetHint: 'gauge',
    schema: -53,
    count: 1.5,
    sum: 0.1,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveBuckets: [0.5, 1],
    customValues: [0.25],
  },
]

describe('a page of the write-ahead log', () => {
  it('keeps series and samples in order', () => {
    const builder = new PageBuilder()
    builder.addOpening(2, 300)
    builder.addSeries(0, bytesOf({ a: 'ä' }))
    builder.addSeries(1, bytesOf({ a: 'äb', c: 'd' }))
    builder.addSamples(batchOf([[0, 5, 1, 0] as const, [1, 5, -0, 0] as const]), 0, 2)
    builder.addSeries(7, bytesOf({ x: 'y' }))
    builder.addSamples(
      batchOf([[7, -6, 0, 1] as const, [1, 7.5, Number.POSITIVE_INFINITY, 0] as const]),
      0,
      2,
    )
    const page = builder.finish(pageKey(1, 0))
    expect(recorded(page)).toEqual([
      'series 0 a\u00ff\u00c3\u00a4\u00ff',
      'series 1 a\u00ff\u00c3\u00a4b\u00ffc\u00ffd\u00ff',
      '0 5 0 3ff0000000000000',
      '1 5 0 8000000000000000',
      'series 7 x\u00ffy\u00ff',
      '7 -6 1 stale',
      '1 7.5 0 7ff0000000000000',
    ])
    expect(builder.isEmpty).toBe(true)
    expect(parsePageKey(pageKey(3, 9))).toEqual({ generation: 3, page: 9 })
  })

  it('keeps histograms of both kinds', () => {
    const builder = new PageBuilder()
    const rows: Row[] = [
      [0, 1, 0, KIND_HISTOGRAM],
      [1, 1, 1, KIND_HISTOGRAM],
      [2, 1, 2, KIND_FLOAT_HISTOGRAM],
      [0, 2, 4.5, KIND_FLOAT],
    ]
    builder.addSamples(batchOf(rows, HISTOGRAMS), 0, rows.length)
    expect(recorded(builder.finish(pageKey(1, 0)))).toEqual(
      rows.map(([index, t, v, kind]) => text(index, t, v, kind, HISTOGRAMS)),
    )
  })

  const small = [
    { rule: 'an unchanged value, 64 of them', v: 0.1, lastV: 0.1, count: 64, bytes: 1 },
    { rule: 'a small step of an integer', v: 1_000_031, lastV: 1_000_000, count: 1, bytes: 1 },
    { rule: 'a middle step of an integer', v: 1_004_095, lastV: 1_000_000, count: 1, bytes: 2 },
    { rule: 'a large step of an integer', v: 2e9, lastV: 1e9, count: 1, bytes: 5 },
    { rule: 'a step of two decimals', v: 51.37, lastV: 90.1, count: 1, bytes: 2 },
    { rule: 'a step of nine decimals', v: 1.000000003, lastV: 1, count: 1, bytes: 2 },
    { rule: 'the last bits of a float', v: Math.PI, lastV: Math.PI + 2 ** -50, count: 1, bytes: 2 },
    { rule: 'a float that is quite another', v: -Math.PI, lastV: 1, count: 1, bytes: 9 },
  ]
  it.each(small)('takes little for $rule', ({ v, lastV, count, bytes }) => {
    const first = new PageBuilder()
    const rows = Array.from({ length: count }, (_, i): Row => [i, 1, lastV, 0])
    first.addSamples(batchOf(rows), 0, count)
    const builder = new PageBuilder()
    const next = Array.from({ length: count }, (_, i): Row => [i, 2, v, 0, lastV, 0])
    builder.addSamples(batchOf(next), 0, count)
    // Header, type, count, form, time, one run of three bytes, then the values.
    expect(builder.byteLength).toBe(8 + 1 + 1 + 1 + 1 + 3 + bytes)
    const { lines } = read([first.finish(pageKey(1, 0)), builder.finish(pageKey(1, 1))])
    expect(lines.slice(count)).toEqual(next.map((row) => text(row[0], row[1], row[2], 0, [])))
  })

  it('notices every flipped byte, a cut end, and its being under another key', () => {
    const builder = new PageBuilder()
    builder.addSeries(0, bytesOf({ a: 'b' }))
    builder.addSamples(batchOf([[0, 1, 2, 1]]), 0, 1)
    const page = builder.finish(pageKey(1, 0))
    for (let i = 0; i < page.value.length; i++) {
      for (const flip of [0x01, 0x03, 0x80]) {
        const value = page.value.slice()
        value[i] ^= flip
        const { lines, reader } = read([{ key: page.key, value }])
        expect(lines).toEqual([])
        expect(reader.damage).toHaveLength(1)
      }
    }
    for (let length = 0; length < page.value.length; length++) {
      expect(read([{ key: page.key, value: page.value.slice(0, length) }]).reader.damage).toHaveLength(1)
    }
    expect(read([page, { key: pageKey(1, 1), value: page.value }]).reader.damage).toMatchObject([
      { what: 'page 1 of generation 1 is damaged: its checksum does not fit', firstPage: 1, finalPage: 1 },
    ])
  })

  it('of another version is refused with a sentence', () => {
    const builder = new PageBuilder()
    builder.addSamples(batchOf([[0, 1, 2, 0]]), 0, 1)
    const page = builder.finish(pageKey(1, 0))
    sealPage(page.key, page.value, 4)
    expect(() => read([page])).toThrow('the write-ahead log has format 4, this version reads 2 and 3')
    // Version 1, of before the first release, had its checksum over less.
    const value = new Uint8Array(16)
    value[0] = 1
    new DataView(value.buffer).setUint32(4, crc32(value.subarray(8), crc32(page.key)), true)
    expect(() => read([{ key: page.key, value }])).toThrow('has format 1, this version reads 2 and 3')
  })

  it('has another version where samples have start timestamps, so that older programs refuse it', () => {
    const builder = new PageBuilder()
    const batch = batchOf([
      [0, 1000, 2, 0],
      [1, 1000, 3, 0],
    ])
    builder.addSamples({ ...batch, st: Float64Array.of(0, 700) }, 0, 2)
    const started = builder.finish(pageKey(1, 0))
    expect(started.value[0]).toBe(3)
    expect(recorded(started)).toEqual([text(0, 1000, 2, 0, []), text(1, 1000, 3, 0, [], 700)])
    builder.addSamples({ ...batch, st: new Float64Array(2) }, 0, 2)
    expect(builder.finish(pageKey(1, 0)).value[0]).toBe(2)
  })

  it('with a fitting checksum and nonsense in it ends in damage, whatever it says', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 3000; run++) {
      const builder = new PageBuilder()
      builder.addSeries(0, bytesOf({ a: 'b' }))
      builder.addSamples(randomHistory(random, 1, 20)[0].batch, 0, 1)
      const page = builder.finish(pageKey(1, 0))
      for (let i = 0; i < 3; i++) page.value[random.int(8, page.value.length - 1)] = random.int(0, 255)
      sealPage(page.key, page.value)
      // Samples may have changed, since the checksum says that they are right; but the reader ends.
      const { reader } = read([page])
      expect(reader.damage.length, `SEED=${seed} run=${run}`).toBeLessThanOrEqual(1)
    }
  })
})

interface Step {
  batch: SampleBatch
  lines: string[]
}

const SPECIAL = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 2 ** 53, -(2 ** 53) - 2, 1e300]

function nextValue(random: Prng, last: number): number {
  switch (random.int(0, 9)) {
    case 0:
      return random.pick(SPECIAL)
    case 1:
      return random.next() * 1e9
    case 2:
      return Math.round(random.next() * 1e5) / 100
    case 3:
      return Math.round(random.next() * 1e9) / 10 ** random.int(0, 12)
    case 4:
      return last * (1 + 2 ** -40)
    case 5:
      return last + random.int(-5000, 5000)
    case 6:
      return random.int(-(2 ** 52), 2 ** 52)
    default:
      return last
  }
}

/** Commits of one generation as a head would make them. */
function randomHistory(random: Prng, steps: number, series: number): Step[] {
  const lastV = new Float64Array(series)
  const age = new Int32Array(series).fill(-1)
  return Array.from({ length: steps }, (_, step) => {
    const rows: Row[] = []
    const start = random.int(0, series - 1)
    for (let n = random.int(1, 2 * series); n > 0; n--) {
      const index = random.chance(0.8) ? (start + n) % series : random.int(0, series - 1)
      const t = 1e12 + step * 15_000 + (random.chance(0.7) ? 0 : random.int(-2000, 2000))
      const kind = random.chance(0.9) ? KIND_FLOAT : random.int(1, 3)
      if (kind !== KIND_FLOAT) {
        age[index] = -1
        rows.push([index, t, kind === KIND_STALE ? 0 : random.int(0, HISTOGRAMS.length - 1), kind])
        continue
      }
      const isKey = age[index] < 0 || age[index] >= 13 ? 1 : 0
      const v = nextValue(random, lastV[index])
      rows.push([index, t, v, kind, lastV[index], isKey])
      lastV[index] = v
      age[index] = isKey === 1 ? 0 : age[index] + 1
    }
    const batch = batchOf(rows, HISTOGRAMS)
    // A NaN with a payload: as an exposition's page may give it.
    if (random.chance(0.2)) {
      const i = random.int(0, rows.length - 1)
      if (rows[i][3] === KIND_FLOAT && !rows.slice(i + 1).some(([index]) => index === rows[i][0])) {
        new Uint32Array(batch.v.buffer).set([random.int(1, 1e9), 0x7ff80000 + random.int(0, 1000)], 2 * i)
        lastV[rows[i][0]] = batch.v[i]
      }
    }
    if (random.chance(0.4)) batch.st = randomStarts(random, batch.t)
    const { v, st } = batch
    const lines = rows.map(([index, t, , kind], i) => text(index, t, v[i], kind, HISTOGRAMS, st[i]))
    return { batch, lines }
  })
}

/** In runs, or one a sample; unknown, odd or huge now and then. */
function randomStarts(random: Prng, t: Float64Array): Float64Array {
  const change = random.pick([0.05, 0.8])
  const special = random.pick([[], [0], [0, 0.5, -(2 ** 50)]])
  let st = 0
  return t.map((time) => {
    if (random.chance(change))
      st = special.length > 0 && random.chance(0.3) ? random.pick(special) : time - random.int(0, 1e9)
    return st
  })
}

function pagesOf(random: Prng, steps: readonly Step[]): { pages: Page[]; lines: string[][] } {
  const builder = new PageBuilder()
  const pages: Page[] = []
  const lines: string[][] = [[]]
  for (const step of steps) {
    for (let from = 0; from < step.batch.length; )
      from = builder.addSamples(step.batch, from, step.batch.length)
    lines[pages.length].push(...step.lines)
    if (random.chance(0.5)) continue
    pages.push(builder.finish(pageKey(1, pages.length)))
    lines.push([])
  }
  pages.push(builder.finish(pageKey(1, pages.length)))
  return { pages, lines }
}

describe('a generation of the write-ahead log', () => {
  it('gives back random series and samples, bit for bit', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 60; run++) {
      const at = `SEED=${seed} run=${run}`
      const builder = new PageBuilder()
      const want: string[] = []
      const first = random.int(0, 1e6)
      for (let i = 0; i < random.int(1, 50); i++) {
        const labels = bytesOf({ n: 'v'.repeat(random.int(0, 300)) || 'x', m: String(i) })
        builder.addSeries(first + i, labels)
        const end = labels.ends[2 * labels.count - 1] + 1
        want.push(`series ${first + i} ${labels.bytes.toString('latin1', 0, end)}`)
      }
      expect(recorded(builder.finish(pageKey(1, 0))), at).toEqual(want)
      const { pages, lines } = pagesOf(random, randomHistory(random, random.int(1, 40), random.int(1, 300)))
      const result = read(pages)
      expect(result.reader.damage, at).toEqual([])
      expect(result.lines, at).toEqual(lines.flat())
    }
  })

  it('splits a large commit into records', () => {
    const random = prng(1)
    const steps = randomHistory(random, 3, 8000)
    const { pages, lines } = pagesOf(random, steps)
    expect(read(pages).lines).toEqual(lines.flat())
  })

  it('of which pages are damaged or missing counts what it cannot tell, and tells nothing wrong', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 60; run++) {
      const at = `SEED=${seed} run=${run}`
      const { pages, lines } = pagesOf(random, randomHistory(random, 60, random.int(1, 30)))
      const shown: Page[] = []
      const whole: string[] = []
      let spoilt = 0
      for (const [i, page] of pages.entries()) {
        if (i < pages.length - 1 && random.chance(0.1)) {
          spoilt++
          if (random.chance(0.5)) continue
          page.value[random.int(0, page.value.length - 1)] ^= 1 << random.int(0, 7)
        } else {
          whole.push(...lines[i])
        }
        shown.push(page)
      }
      const result = read(shown)
      const { reader } = result
      expect(reader.samplesLost + result.lines.length, at).toBe(whole.length)
      // What was told stands in the pages that are whole, in the same order.
      let next = 0
      for (const line of result.lines) {
        next = whole.indexOf(line, next) + 1
        expect(next, `${at} ${line}`).toBeGreaterThan(0)
      }
      const damaged = reader.damage.reduce(
        (sum, { firstPage, finalPage }) => sum + finalPage - firstPage + 1,
        0,
      )
      expect(damaged, at).toBe(spoilt)
      expect(
        reader.damage.reduce((sum, { samplesLost }) => sum + samplesLost, 0),
        at,
      ).toBe(reader.samplesLost)
    }
  })

  it('finds its way again at self-contained samples, and names the times between', () => {
    const builder = new PageBuilder()
    const pages = [1, 2, 3, 4, 5].map((t) => {
      builder.addSamples(batchOf([[0, t * 1000, t, 0, t - 1, t === 1 || t === 4 ? 1 : 0]]), 0, 1)
      return builder.finish(pageKey(1, t - 1))
    })
    const { lines, reader } = read(pages.filter((_, i) => i !== 1))
    expect(lines).toEqual([1, 4, 5].map((t) => text(0, t * 1000, t, 0, [])))
    reader.end(7)
    expect(reader.damage).toEqual([
      {
        generation: 1,
        firstPage: 1,
        finalPage: 1,
        what: 'generation 1: pages 1 to 1 are missing',
        mint: 1000,
        maxt: 4000,
        samplesLost: 1,
        seriesLost: new Set([0]),
        seriesBefore: 0,
      },
      {
        generation: 1,
        firstPage: 5,
        finalPage: 6,
        what: 'generation 1: pages 5 to 6 are missing',
        mint: 5000,
        maxt: Number.POSITIVE_INFINITY,
        samplesLost: 0,
        seriesLost: new Set(),
        seriesBefore: 0,
      },
    ])
  })
})
