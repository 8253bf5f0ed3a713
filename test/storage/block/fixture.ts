/** Blocks for tests: series as plain data, written as a block under a folder of the test's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareBlockOrder, type DamageNote } from '../../../storage/block/format.ts'
import { BlockReader } from '../../../storage/block/reader.ts'
import { BlockWriter, type BlockWriterOptions } from '../../../storage/block/writer.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import type { Matcher } from '../../../storage/model/matcher.ts'
import {
  type HistogramKind,
  isHistogramKind,
  type PlainKind,
  SampleColumns,
} from '../../../storage/model/sample.ts'
import { type Prng, prng } from '../../harness/prng.ts'

export interface PlainSample {
  t: number
  v: number
  kind: number
  histogram?: FloatHistogram
}

export interface PlainSeries {
  labels: Labels
  samples: PlainSample[]
}

export const ORIGIN = {
  id: 7,
  firstGeneration: 3,
  finalGeneration: 4,
  sources: [1, 2],
  level: 1,
  tombstone: 9,
}

/** A folder that goes with `dispose`. */
export class BlockRoom {
  readonly root = mkdtempSync(join(tmpdir(), 'narthex-block-'))
  readonly notes: DamageNote[] = []

  folder(name: string): string {
    return join(this.root, name)
  }

  /** Writes the series, in whatever order they are. */
  async write(series: readonly PlainSeries[], options?: BlockWriterOptions): Promise<string> {
    const folder = this.folder('00000007')
    const writer = await BlockWriter.create(folder, options)
    const columns = new SampleColumns()
    for (const one of sorted(series)) {
      fill(columns, one.samples)
      writer.add(one.labels, columns)
      if (writer.pendingBytes > 2 ** 18) await writer.drain()
    }
    await writer.finish(ORIGIN)
    return folder
  }

  async open(folder: string): Promise<BlockReader> {
    return BlockReader.open(folder, (note) => this.notes.push(note))
  }

  dispose(): void {
    rmSync(this.root, { recursive: true })
  }
}

export function sorted(series: readonly PlainSeries[]): PlainSeries[] {
  return series.filter((one) => one.samples.length > 0).sort((a, b) => compareBlockOrder(a.labels, b.labels))
}

export function fill(columns: SampleColumns, samples: readonly PlainSample[]): void {
  columns.clear()
  for (const { t, v, kind, histogram } of samples) {
    if (histogram === undefined) columns.push(t, v, kind as PlainKind)
    else columns.pushHistogram(t, histogram, kind as HistogramKind)
  }
}

/** The columns as plain samples. */
export function plain(columns: SampleColumns): PlainSample[] {
  return Array.from({ length: columns.length }, (_, i) => {
    const [t, v, kind] = [columns.t[i], columns.v[i], columns.kind[i]]
    if (isHistogramKind(kind)) return { t, v: 0, kind, histogram: columns.histograms[v] }
    return { t, v: kind === 1 ? 0 : v, kind }
  })
}

export function readAll(reader: BlockReader, ref: number, mint = -1e15, maxt = 1e15): PlainSample[] {
  const columns = new SampleColumns(4)
  reader.read(ref, mint, maxt, columns)
  return plain(columns)
}

/** Positions, in block order, of the series that pass and whose times overlap. */
export function bruteForce(
  series: readonly PlainSeries[],
  matchers: readonly Matcher[],
  mint: number,
  maxt: number,
): number[] {
  return series.flatMap(({ labels, samples }, ref) => {
    const isIn = samples[0].t <= maxt && samples[samples.length - 1].t >= mint
    return isIn && matchers.every((matcher) => matcher.matches(labels.get(matcher.name))) ? [ref] : []
  })
}

const LETTERS = ['a', 'b', 'é', '世', '\ue000', '\u{10000}', 'Z', '0']

export function randomText(random: Prng, max: number): string {
  return Array.from({ length: random.int(1, max) }, () => random.pick(LETTERS)).join('')
}

/** Series of random labels and times; all sets differ. */
export function randomSeries(seed: number, count: number, samplesMax: number): PlainSeries[] {
  const random = prng(seed)
  const names = ['job', 'instance', 'pod', 'le', 'A', '_x', 'zone', 'é', 'mode']
  const values = new Map(
    names.map((name) => [name, Array.from({ length: random.int(1, 40) }, () => randomText(random, 6))]),
  )
  const metrics = Array.from({ length: 1 + count / 50 }, () => randomText(random, 4))
  const byKey = new Map<string, PlainSeries>()
  while (byKey.size < count) {
    const object: Record<string, string> = {}
    if (random.chance(0.97)) object.__name__ = random.pick(metrics)
    for (const name of names) if (random.chance(0.5)) object[name] = random.pick(values.get(name)!)
    if (random.chance(0.3)) object.id = `${random.int(0, 1e6)}`
    if (random.chance(0.01)) object.long = 'x'.repeat(random.int(1000, 5000))
    const labels = Labels.from(object)
    if (labels.size > 0) byKey.set(labels.key(), { labels, samples: randomSamples(random, samplesMax) })
  }
  return [...byKey.values()]
}

function randomSamples(random: Prng, max: number): PlainSample[] {
  const interval = random.pick([1000, 15_000])
  const isRegular = random.chance(0.5)
  let t = 1.7e12 + random.int(0, 1e6)
  let v = random.int(0, 1000)
  return Array.from({ length: random.int(1, max) }, () => {
    t += isRegular ? interval : random.int(1, interval)
    v += random.int(0, 10)
    return random.chance(0.01) ? { t, v: 0, kind: 1 } : { t, v, kind: 0 }
  })
}
