/** Reads a chunk as the section "Chunks" of docs/FORMAT.md says, and in no other way. */
import type { Bytes } from './bytes.ts'
import { bitsOf, floatOf } from './bytes.ts'

export interface ReadSample {
  t: number
  kind: number
  /** The float's bits. */
  bits?: bigint
  /** Start timestamp, where it is known. */
  st?: number
  histogram?: ReadHistogram
}

export interface ReadHistogram {
  counterResetHint: string
  schema: number
  zeroThreshold: number
  zeroCount: number
  count: number
  sum: number
  positiveSpans: { offset: number; length: number }[]
  negativeSpans: { offset: number; length: number }[]
  positiveBuckets: number[]
  negativeBuckets: number[]
  customValues: number[]
}

export function readChunk(from: Bytes): ReadSample[] {
  const head = from.u8()
  const n = head >>> 4 === 0 ? from.varint() : head >>> 4
  const size = from.varint()
  const end = from.at + size
  const times = readTimes(from, head & 3, n)
  const kinds = (head & 4) === 0 ? new Array<number>(n).fill(0) : readKinds(from, n)
  const floats = kinds.filter((kind) => kind === 0).length
  const histograms = kinds.filter((kind) => kind >= 2).length
  const values = floats > 0 ? readColumn(from, floats) : []
  const read = histograms > 0 ? readHistograms(from, histograms) : []
  const starts = (head & 8) === 0 ? [] : readStarts(from, n)
  if (from.at !== end) throw new Error(`the chunk ends at ${end}, reading at ${from.at}`)
  return times.map((t, i) => {
    const sample = { t, kind: kinds[i], ...(starts[i] && { st: starts[i] }) }
    if (kinds[i] === 1) return sample
    if (kinds[i] === 0) return { ...sample, bits: values.shift()! }
    return { ...sample, histogram: read.shift()! }
  })
}

function readStarts(from: Bytes, n: number): number[] {
  const end = from.varint() + from.at
  const starts = readColumn(from, n).map((bits) => floatOf(bits))
  if (from.at !== end) throw new Error('the start timestamps')
  return starts
}

function readTimes(from: Bytes, mode: number, n: number): number[] {
  if (mode === 3) return Array.from({ length: n }, () => from.f64())
  const first = from.signed()
  if (mode === 0) {
    const step = n > 1 ? readStep(from) : 0
    return Array.from({ length: n }, (_, i) => first + i * step)
  }
  from.varint() // final − first
  const step = mode === 2 ? readStep(from) : 0
  const residuals = readResiduals(from, n - 1)
  const times = [first]
  for (let i = 1; i < n; i++) {
    times.push((mode === 1 ? times[i - 1] : first + i * step) + residuals[i - 1])
  }
  return times
}

function readStep(from: Bytes): number {
  const code = from.varint()
  return code % 2 === 0 ? code / 2 : ((code - 1) / 2) * 1000
}

function readKinds(from: Bytes, n: number): number[] {
  const kinds: number[] = []
  while (kinds.length < n) {
    const run = from.varint()
    for (let i = 0; i < Math.floor(run / 8); i++) kinds.push(run % 8)
  }
  return kinds
}

function readResiduals(from: Bytes, count: number): number[] {
  const base = from.signed()
  const head = from.u8()
  const factor = (head & 0x40) === 0 ? 1 : from.varint()
  const outliers = new Map<number, number>()
  if ((head & 0x80) !== 0) {
    let next = 0
    for (let left = from.varint(); left > 0; left--) {
      const place = next + from.varint()
      outliers.set(place, from.signed())
      next = place + 1
    }
  }
  return from
    .packed(count, head & 0x3f)
    .map((number, i) => base + (outliers.get(i) ?? Number(number) * factor))
}

/** Bits of `n` floats. */
function readColumn(from: Bytes, n: number): bigint[] {
  const head = from.u8()
  const mode = head >>> 5
  const argument = head & 31
  if (mode === 5) return readRuns(from, argument, n)
  if (mode === 6) return argument === 0 ? readXor(from, n) : readHalves(from, n)
  if (mode === 7) return readExceptions(from, n)
  if (mode === 0 && argument === 31) return new Array<bigint>(n).fill(from.bits64())
  return readWhole(from, mode, n).map((number) => bitsOf(number / Number(`1e${argument}`)))
}

/** The whole numbers of modes 0 to 4. */
function readWhole(from: Bytes, mode: number, n: number): number[] {
  if (mode === 2) return readResiduals(from, n)
  const first = from.signed()
  if (mode === 0) return new Array<number>(n).fill(first)
  const numbers = [first]
  if (mode === 3) {
    for (const difference of readResiduals(from, n - 1))
      numbers.push(numbers[numbers.length - 1] + difference)
    return numbers
  }
  let difference = from.signed()
  const changes = mode === 4 ? readResiduals(from, n - 2) : new Array<number>(n - 2).fill(0)
  numbers.push(first + difference)
  for (const change of changes) {
    difference += change
    numbers.push(numbers[numbers.length - 1] + difference)
  }
  return numbers
}

function readRuns(from: Bytes, argument: number, n: number): bigint[] {
  const isChange = new Array<boolean>(n).fill(false)
  if (argument === 0) {
    from.packed(n - 1, 1).forEach((bit, i) => {
      isChange[i + 1] = bit === 1n
    })
  } else {
    let next = 1
    for (let left = from.varint(); left > 0; left--) {
      const place = next + from.varint()
      isChange[place] = true
      next = place + 1
    }
  }
  const values = readColumn(from, 1 + isChange.filter((change) => change).length)
  let run = 0
  return isChange.map((change) => values[change ? ++run : run])
}

function readHalves(from: Bytes, n: number): bigint[] {
  const shift = from.u8()
  const upper = readResiduals(from, n)
  const lower = readResiduals(from, n)
  return upper.map((high, i) => (BigInt(high) << 32n) | (BigInt(lower[i]) << BigInt(shift)))
}

function readExceptions(from: Bytes, n: number): bigint[] {
  const exceptions = new Map<number, bigint>()
  let next = 0
  for (let left = from.varint(); left > 0; left--) {
    const place = next + from.varint()
    exceptions.set(place, from.bits64())
    next = place + 1
  }
  return readColumn(from, n).map((bits, i) => exceptions.get(i) ?? bits)
}

function readXor(from: Bytes, n: number): bigint[] {
  const size = from.varint()
  const end = from.at + size
  const values = [from.bits64()]
  const start = from.at
  let bit = 0
  const take = (width: number): number => {
    bit += width
    return Number(from.bitsFrom(start, bit - width, width))
  }
  let leading = 0
  let window = 0
  while (values.length < n) {
    let x = 0n
    if (take(1) === 1) {
      if (take(1) === 1) {
        leading = take(5)
        window = take(6) + 1
      }
      x = from.bitsFrom(start, bit, window) << BigInt(64 - leading - window)
      bit += window
    }
    values.push(values[values.length - 1] ^ x)
  }
  from.at = end
  return values
}

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge']

function readSpans(from: Bytes): { offset: number; length: number }[] {
  return Array.from({ length: from.varint() }, () => ({ offset: from.signed(), length: from.varint() }))
}

function readHistograms(from: Bytes, count: number): ReadHistogram[] {
  const layouts = Array.from({ length: from.varint() }, () => ({
    schema: from.signed(),
    zeroThreshold: from.f64(),
    positiveSpans: readSpans(from),
    negativeSpans: readSpans(from),
    customValues: Array.from({ length: from.varint() }, () => from.f64()),
  }))
  const histograms: { layout: number; histogram: ReadHistogram }[] = []
  for (let runs = from.varint(); runs > 0; runs--) {
    const run = from.varint()
    const layout = from.varint()
    for (let i = 0; i < Math.floor(run / 4); i++) {
      const none = { zeroCount: 0, count: 0, sum: 0, positiveBuckets: [], negativeBuckets: [] }
      const counterResetHint = HINTS[run % 4]
      histograms.push({ layout, histogram: { counterResetHint, ...layouts[layout], ...none } })
    }
  }
  if (histograms.length !== count) throw new Error(`${histograms.length} histograms of ${count}`)
  layouts.forEach(({ positiveSpans, negativeSpans }, layout) => {
    const mine = histograms.filter((one) => one.layout === layout).map(({ histogram }) => histogram)
    if (mine.length === 0) return
    const column = (): number[] => readColumn(from, mine.length).map((bits) => floatOf(bits))
    const [zeroCounts, counts, sums] = [column(), column(), column()]
    const positive = Array.from({ length: bucketsOf(positiveSpans) }, column)
    const negative = Array.from({ length: bucketsOf(negativeSpans) }, column)
    mine.forEach((histogram, i) => {
      histogram.zeroCount = zeroCounts[i]
      histogram.count = counts[i]
      histogram.sum = sums[i]
      histogram.positiveBuckets = positive.map((bucket) => bucket[i])
      histogram.negativeBuckets = negative.map((bucket) => bucket[i])
    })
  })
  return histograms.map(({ histogram }) => histogram)
}

function bucketsOf(spans: readonly { length: number }[]): number {
  return spans.reduce((sum, { length }) => sum + length, 0)
}
