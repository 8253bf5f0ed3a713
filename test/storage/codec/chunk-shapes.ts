/** Series of many kinds for the codec's tests, and a comparison by bits. */
import { expect } from 'vitest'
import { ByteWriter } from '../../../storage/codec/byte-writer.ts'
import { chunkByteLength, decodeChunk, encodeChunk } from '../../../storage/codec/chunk.ts'
import type { FloatHistogram, Span } from '../../../storage/model/histogram.ts'
import {
  type HistogramKind,
  isHistogramKind,
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
  SampleColumns,
} from '../../../storage/model/sample.ts'
import type { Prng } from '../../harness/prng.ts'

const bits = new Float64Array(1)
const words = new Uint32Array(bits.buffer)

/** A float of these halves: every NaN there is. */
export function floatOf(high: number, low: number): number {
  words[0] = low
  words[1] = high
  return bits[0]
}

/** Puts a float's bits in place without an arithmetic register in between. */
export function setBits(values: Float64Array, i: number, high: number, low: number): void {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  halves[2 * i] = low
  halves[2 * i + 1] = high
}

export function columnsOf(values: readonly number[], times?: readonly number[]): SampleColumns {
  const columns = new SampleColumns(Math.max(1, values.length))
  values.forEach((value, i) => {
    columns.push(times === undefined ? 1_700_000_000_000 + i * 15_000 : times[i], value, KIND_FLOAT)
  })
  return columns
}

export function encode(columns: SampleColumns): Uint8Array {
  const out = new ByteWriter(16)
  encodeChunk(columns, 0, columns.length, out)
  return Uint8Array.prototype.slice.call(out.bytes, 0, out.length)
}

function hexOf(values: Float64Array, from: number, to: number, isValue: (i: number) => boolean): string[] {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  const list: string[] = []
  for (let i = from; i < to; i++) {
    if (isValue(i)) list.push(`${halves[2 * i + 1].toString(16)}:${halves[2 * i].toString(16)}`)
  }
  return list
}

/** Samples [from, to) of `expected` are samples [at, …) of `got`, bit for bit. */
export function expectSame(
  got: SampleColumns,
  at: number,
  expected: SampleColumns,
  from: number,
  to: number,
): void {
  const count = to - from
  const kinds = Array.from(got.kind.subarray(at, at + count))
  expect(kinds).toEqual(Array.from(expected.kind.subarray(from, to)))
  expect(Array.from(got.t.subarray(at, at + count))).toEqual(Array.from(expected.t.subarray(from, to)))
  const isFloat = (i: number) => expected.kind[i] === KIND_FLOAT
  expect(hexOf(got.v, at, at + count, (i) => isFloat(i - at + from))).toEqual(
    hexOf(expected.v, from, to, isFloat),
  )
  const starts = ({ st }: SampleColumns, i: number) => Array.from({ length: count }, (_, k) => st[i + k] ?? 0)
  expect(starts(got, at)).toEqual(starts(expected, from))
  for (let i = from; i < to; i++) {
    if (!isHistogramKind(expected.kind[i])) continue
    const histogram = expected.histograms[expected.v[i]]
    // The one before it, which is not asked for, tells more.
    const isTold = i === from && from > 0 && histogram.counterResetHint === 'unknown'
    const hint = expect.stringMatching(/^(unknown|not_reset)$/)
    expect(got.histograms[got.v[at + i - from]]).toEqual(
      isTold ? { ...histogram, counterResetHint: hint } : histogram,
    )
  }
}

/** Encodes and decodes, whole and cut at random times, behind samples that are there. */
export function expectRoundTrip(columns: SampleColumns, random: Prng): Uint8Array {
  const chunk = encode(columns)
  // Among other bytes, at an odd place, in shared memory.
  const place = random.int(0, 9)
  const memory = new Uint8Array(new SharedArrayBuffer(place + chunk.length + random.int(0, 9))).fill(0xa5)
  memory.set(chunk, place)
  expect(chunkByteLength(memory, place)).toBe(chunk.length)
  const whole = new SampleColumns(1)
  decodeChunk(memory, place, -Infinity, Infinity, whole)
  expect(whole.length).toBe(columns.length)
  expectSame(whole, 0, columns, 0, columns.length)
  expect(whole.allFloat).toBe(columns.kind.subarray(0, columns.length).every((kind) => kind === KIND_FLOAT))

  const from = random.int(0, columns.length - 1)
  const to = random.int(from, columns.length - 1) + 1
  const into = columnsOf([7], [-(2 ** 53)])
  decodeChunk(memory, place, columns.t[from], columns.t[to - 1], into)
  expect(into.length).toBe(1 + to - from)
  expectSame(into, 1, columns, from, to)
  decodeChunk(memory, place, columns.t[columns.length - 1] + 1, Infinity, into)
  expect(into.length).toBe(1 + to - from)
  return chunk
}

function randomSpans(random: Prng): Span[] {
  return Array.from({ length: random.int(0, 3) }, (_, i) => ({
    offset: random.int(i === 0 ? -50 : 0, 50),
    length: random.int(0, 8),
  }))
}

function bucketsOf(spans: readonly Span[], make: () => number): number[] {
  return spans.flatMap((span) => Array.from({ length: span.length }, make))
}

export function randomHistogram(random: Prng, kind: HistogramKind): FloatHistogram {
  const count =
    kind === KIND_HISTOGRAM ? () => random.int(0, 1000) : () => random.pick([0, 0.5, random.next() * 100])
  const isCustom = random.chance(0.3)
  const positiveSpans = randomSpans(random)
  const negativeSpans = isCustom ? [] : randomSpans(random)
  return {
    counterResetHint: random.pick(['unknown', 'reset', 'not_reset', 'gauge'] as const),
    schema: isCustom ? -53 : random.int(-4, 8),
    zeroThreshold: random.pick([0, 2 ** -128, 0.001]),
    zeroCount: count(),
    count: count(),
    sum: random.pick([0, -0, 1.5, random.next() * 1e6, Infinity]),
    positiveSpans,
    negativeSpans,
    positiveBuckets: bucketsOf(positiveSpans, count),
    negativeBuckets: bucketsOf(negativeSpans, count),
    customValues: isCustom ? [0.1, 0.25, 1, random.next() * 100 + 1] : [],
  }
}

/** The next histogram of a series: nearly always the same layout with larger counts. */
export function nextHistogram(random: Prng, last: FloatHistogram, kind: HistogramKind): FloatHistogram {
  if (random.chance(0.05)) return randomHistogram(random, kind)
  const grow = (n: number) => n + random.int(0, 5)
  return {
    ...last,
    counterResetHint: random.chance(0.9) ? last.counterResetHint : 'not_reset',
    zeroCount: grow(last.zeroCount),
    count: grow(last.count),
    sum: last.sum + random.next(),
    positiveBuckets: last.positiveBuckets.map(grow),
    negativeBuckets: last.negativeBuckets.map(grow),
  }
}

const SPECIAL: readonly [high: number, low: number][] = [
  [0x80000000, 0],
  [0x7ff80000, 0],
  [0x7ff80000, 1],
  [0xfff80000, 0xdeadbeef],
  [0x7ff00000, 2],
  [0x7ff00000, 0],
  [0xfff00000, 0],
  [0, 1],
  [0x000fffff, 0xffffffff],
  [0x7fefffff, 0xffffffff],
  [0, 0],
]

/** A generator of values; each has a state of its own. */
export const SHAPES: Record<string, (random: Prng) => (i: number) => number> = {
  constant: (random) => {
    const value = random.pick([0, 1, -1, 0.1, 1 / 3, 1e300, 12_345.678, -0, Number.MAX_SAFE_INTEGER])
    return () => value
  },
  linear: (random) => {
    const step = random.pick([1, -3, 0.25, 1e6])
    return (i) => i * step
  },
  counter: (random) => {
    let value = random.int(0, 1e9)
    const reset = random.pick([0, 0.01])
    const step = random.pick([1, 10, 1000, 1e6])
    return () => (value = random.chance(reset) ? 0 : value + random.int(0, step))
  },
  decimal: (random) => {
    const power = random.pick([10, 100, 1e3, 1e6, 1e12])
    let value = random.int(-1e6, 1e6)
    return () => {
      value += random.int(-50, 50)
      return value / power
    }
  },
  spikes: (random) => () => (random.chance(0.05) ? random.int(0, 1e12) : random.int(0, 20)),
  unchanged: (random) => {
    let value = random.next()
    const change = random.pick([0.01, 0.1, 0.4])
    return () => (value = random.chance(change) ? random.int(0, 100) / 10 : value)
  },
  flapping: (random) => {
    let value = random.next()
    return () => (value = random.chance(0.2) ? random.next() : value)
  },
  float: (random) => {
    let value = random.next() * 100
    return () => (value *= 1 + (random.next() - 0.5) / 1000)
  },
  single: (random) => () => Math.fround(random.next() * 1e3 - 500),
  anything: (random) => () => floatOf(random.int(0, 0xffffffff), random.int(0, 0xffffffff)),
  large: (random) => () => random.pick([-1, 1]) * (2 ** 53 - random.int(-3, 1e6)),
  wide: (random) => () => random.int(-(2 ** random.int(1, 53)), 2 ** random.int(1, 53)),
  subnormal: (random) => () => random.int(0, 1000) * Number.MIN_VALUE,
  digits: (random) => () => random.int(0, 1e15) / 10 ** random.int(0, 22),
}

const TIME_SHAPES: readonly ((random: Prng) => (i: number, before: number) => number)[] = [
  () => (_, before) => before + 15_000,
  (random) => (_, before) => before + (random.chance(0.05) ? 30_000 : 15_000),
  (random) => (_, before) => before + 15_000 + random.int(-9, 9),
  (random) => {
    const start = random.int(0, 2e12)
    return (i) => start + i * 60_000 + random.int(-5, 5)
  },
  (random) => (_, before) => before + random.int(1, 10 ** random.int(1, 9)),
  (random) => (_, before) => before + (random.chance(0.1) ? 1e12 : 1),
  (random) => (_, before) => before + 0.5 + random.int(0, 3),
]

const STARTS = [0, -1, -1_700_000_000_000, 1_700_000_000_123, 1_700_000_000_000, 2 ** 50, -(2 ** 50)]

/** A series: any shape of times and values, special floats, other kinds now and then. */
export function randomColumns(random: Prng, count: number): SampleColumns {
  const columns = new SampleColumns(count)
  const value = random.pick(Object.values(SHAPES))(random)
  const time = random.pick(TIME_SHAPES)(random)
  const special = random.pick([0, 0, 0.02, 0.3])
  const other = random.pick([0, 0, 0, 0.02, 0.5])
  let histogram: FloatHistogram | undefined
  let t = random.pick(STARTS)
  for (let i = 0; i < count; i++) {
    t = Math.max(i === 0 ? -Infinity : columns.t[i - 1] + 0.5, time(i, t))
    const x = value(i)
    if (random.chance(other)) {
      const kind = random.pick([KIND_STALE, KIND_HISTOGRAM, KIND_FLOAT_HISTOGRAM] as const)
      if (kind === KIND_STALE) columns.push(t, 0, kind)
      else {
        histogram =
          histogram === undefined ? randomHistogram(random, kind) : nextHistogram(random, histogram, kind)
        columns.pushHistogram(t, histogram, kind)
      }
      continue
    }
    columns.push(t, x, KIND_FLOAT)
    if (random.chance(special)) setBits(columns.v, i, ...random.pick(SPECIAL))
  }
  if (random.chance(0.3)) setStarts(columns, random)
  return columns
}

/** Start timestamps that change now and then, and are unknown now and then. */
function setStarts(columns: SampleColumns, random: Prng): void {
  const change = random.pick([0, 0.02, 0.5])
  let st = columns.t[0] - 1000
  for (let i = 0; i < columns.length; i++) {
    if (random.chance(change)) st = random.chance(0.3) ? 0 : columns.t[i] - random.int(0, 5000)
    columns.setStart(i, st)
  }
}
