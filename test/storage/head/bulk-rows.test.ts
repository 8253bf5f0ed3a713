// Goal: rows that are made in bulk hold what was added, whatever comes in between. Method: random floats, stale markers,
// histograms, late samples and ones that come twice, some with start timestamps, over several generations, against a map of
// each series.
import { expect, it } from 'vitest'
import { BulkRows } from '../../../storage/head/bulk-rows.ts'
import { GenerationWriter } from '../../../storage/head/generation.ts'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { readRow } from '../../../storage/head/row-reader.ts'
import { beginRow, newest } from '../../../storage/head/series-row.ts'
import { SeriesTableWriter } from '../../../storage/head/series-table.ts'
import {
  KIND_FLOAT,
  KIND_HISTOGRAM,
  KIND_STALE,
  type Kind,
  SampleColumns,
} from '../../../storage/model/sample.ts'
import { Slab } from '../../../storage/slab/slab.ts'
import { columnText, sampleText } from '../../harness/arrivals.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'
import { randomHistogram } from '../codec/chunk-shapes.ts'

/** More than a page of waiting samples has. */
const SERIES = 1100
/** Of so many all is random; the others get what they get side by side. */
const MIXED = 20

/** What one series has to have: of the present generation, and its newest sample of all. */
class Expected {
  samples = new Map<number, string>()
  newestT = Number.NEGATIVE_INFINITY

  /** Whether the sample is to be added. */
  add(t: number, kind: Kind, text: string): boolean {
    if (t === this.newestT || (t < this.newestT && kind === KIND_STALE)) return false
    // The earlier arrival stays, but it is added.
    if (!this.samples.has(t)) this.samples.set(t, text)
    this.newestT = Math.max(this.newestT, t)
    return true
  }
}

class Trial {
  readonly expected = Array.from({ length: SERIES }, () => new Expected())
  readonly slab = Slab.reserve(256 * 2 ** 20)
  readonly table = SeriesTableWriter.create(this.slab, 1, 3)
  writer = GenerationWriter.create(this.slab, 1, this.table)
  readonly rows = new BulkRows(this.writer)
  private readonly random: Prng
  private readonly about: string
  private readonly t = new Float64Array(1)
  private readonly v = new Float64Array(1)
  private readonly st = new Float64Array(1)

  constructor(random: Prng, about: string) {
    this.random = random
    this.about = about
    this.writer.isBulk = true
    const labels = new LabelBytes()
    for (let i = 0; i < SERIES; i++) {
      labels.clear()
      labels.add('n', String(i))
      labels.finish()
      this.table.addSeries(labels)
      beginRow(this.writer, this.writer.reserveRow(i), undefined, 0)
      this.rows.begin(i)
    }
  }

  /** A time of its own for a series, the newest of all or not. */
  addMixed(index: number, now: number): void {
    const { random } = this
    const one = this.expected[index]
    const t = random.chance(0.1) ? now - random.int(0, 50) : now
    if (random.chance(index % 2 === 0 ? 0.1 : 0.01)) {
      const histogram = randomHistogram(random, KIND_HISTOGRAM)
      const st = this.start(now)
      const isAdded = this.rows.addHistogram(index, t, histogram, KIND_HISTOGRAM, st)
      const text = sampleText(KIND_HISTOGRAM, 0, histogram, st)
      expect(isAdded, this.about).toBe(one.add(t, KIND_HISTOGRAM, text))
    } else this.add(index, t, random.chance(0.05) ? KIND_STALE : KIND_FLOAT, this.start(now))
  }

  /** One that changes now and then, and is not always known. */
  private start(now: number): number {
    return this.random.chance(0.3) ? 0 : Math.floor(now / 300_000) * 300_000
  }

  add(index: number, t: number, kind: Kind, st = 0): void {
    this.t[0] = t
    this.v[0] = this.random.chance(0.5) ? this.random.int(-5, 1000) : this.random.next()
    this.st[0] = st
    const starts = st === 0 && this.random.chance(0.5) ? this.st.subarray(0, 0) : this.st
    const isAdded = this.rows.add(index, this.t, this.v, starts, 0, kind)
    const text = sampleText(kind, this.v[0], undefined, st)
    expect(isAdded, this.about).toBe(this.expected[index].add(t, kind, text))
  }

  /** What is there is right; then a next log goes on in the same rows, or in those of a new generation. */
  settle(isNext: boolean): void {
    this.rows.settleAll()
    for (let i = 0; i < SERIES; i++) this.check(i)
    const before = this.writer
    if (isNext) this.writer = GenerationWriter.create(this.slab, before.number + 1, this.table)
    this.writer.isBulk = true
    this.rows.turnTo(this.writer)
    for (let i = 0; i < SERIES; i++) {
      if (isNext) {
        const from = newest(before, before.rowAt(i)) === undefined ? undefined : before
        beginRow(this.writer, this.writer.reserveRow(i), from, before.rowAt(i))
        this.expected[i].samples = new Map()
      }
      this.rows.begin(i)
    }
  }

  private check(index: number): void {
    const { writer } = this
    const { samples, newestT } = this.expected[index]
    const found = new SampleColumns()
    readRow(writer, writer.rowAt(index), 0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, found)
    const texts = Array.from({ length: found.length }, (_, i) => [found.t[i], columnText(found, i)])
    expect(texts, `series ${index}, ${this.about}`).toEqual([...samples].sort(([a], [b]) => a - b))
    expect(newest(writer, writer.rowAt(index))?.t ?? Number.NEGATIVE_INFINITY, this.about).toBe(newestT)
  }
}

it('holds what was added, in any order and over any number of generations', { timeout: 60_000 }, () => {
  const seed = testSeed()
  const random = prng(seed)
  const trial = new Trial(random, `SEED=${seed}`)
  let now = 1_700_000_000_000
  for (let round = 0; round < 8; round++) {
    for (let scrape = random.pick([1, 7, 8, 9, 31, 32, 33, 40, 41, 64, 120, 300]); scrape > 0; scrape--) {
      now += random.pick([15_000, 15_000, 15_001, 7])
      // A log may name a series again.
      trial.rows.begin(random.int(0, SERIES - 1))
      trial.rows.begin(random.int(0, MIXED - 1))
      for (let i = 0; i < MIXED; i++) if (random.chance(0.9)) trial.addMixed(i, now)
      for (let i = MIXED; i < SERIES; i++) if (i % 7 > 0 || scrape % 3 > 0) trial.add(i, now, KIND_FLOAT)
    }
    trial.settle(random.chance(0.4))
  }
})
