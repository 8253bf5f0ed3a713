/**
 * How small and how fast chunks are, beside Gorilla's XOR codec (gorilla.ts) on the same series in the same process.
 *
 *   npm run bench -- codec [--samples 120] [--series 400]
 *
 * Bytes of a chunk, times included, and nanoseconds a sample; "ratio" is ours divided by XOR's. Times are regular. The
 * final table is of short chunks, as the head makes them. Best of some runs: what disturbs makes slower, never faster.
 */
import { parseArgs } from 'node:util'
import { ByteWriter } from '../storage/codec/byte-writer.ts'
import { decodeChunk, describeChunk, encodeChunk } from '../storage/codec/chunk.ts'
import { KIND_FLOAT, SampleColumns } from '../storage/model/sample.ts'
import { decodeGorilla, encodeGorilla } from './gorilla.ts'

const START = 1_767_225_600_000
const SCRAPE_MS = 15_000
const RUN_SAMPLES_MIN = 200_000
/** Each measurement goes on so long: the optimising compiler works beside it and needs its time. */
const MEASURE_MS = 300
const SHORT = 8

type Random = () => number

/** mulberry32 */
function makeRandom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
}

/** Each makes a series' next value from its last; `start` is the first. */
interface Kind {
  name: string
  start: (random: Random) => number
  next: (value: number, random: Random, i: number) => number
}

const int = (random: Random, size: number) => Math.floor(random() * size)

const KINDS: readonly Kind[] = [
  { name: 'integer counter', start: (r) => int(r, 1e6), next: (v, r) => v + int(r, 25) },
  { name: 'constant', start: (r) => int(r, 1e4), next: (v) => v },
  {
    name: 'two-decimal gauge',
    start: (r) => int(r, 1e5) / 100,
    next: (v, r) => Math.round(v * 100 + (r() - 0.5) * 2000) / 100,
  },
  {
    name: 'bytes in pages',
    start: (r) => int(r, 1e5) * 4096,
    next: (v, r) => Math.max(0, v + (int(r, 401) - 200) * 4096),
  },
  { name: 'queue length', start: () => 3, next: (_, r) => int(r, 20) * (r() < 0.7 ? 0 : 1) },
  { name: 'mostly unchanged', start: (r) => int(r, 50), next: (v, r) => (r() < 0.05 ? int(r, 50) : v) },
  {
    name: 'full-precision float',
    start: (r) => r() * 100,
    next: (v, r) => v * (1 + (r() - 0.5) / 50),
  },
  { name: 'cumulative bucket', start: (r) => int(r, 1e5), next: (v, r) => v + int(r, 4) },
  {
    name: 'cpu seconds',
    start: (r) => int(r, 1e6) / 100,
    next: (v, r) => Math.round(v * 100 + r() * 300) / 100,
  },
]

function makeSeries(kind: Kind, series: number, samples: number): SampleColumns[] {
  const random = makeRandom(7)
  return Array.from({ length: series }, () => {
    const columns = new SampleColumns(samples)
    let value = kind.start(random)
    for (let i = 0; i < samples; i++) {
      columns.push(START + i * SCRAPE_MS, value, KIND_FLOAT)
      value = kind.next(value, random, i)
    }
    return columns
  })
}

/** Best nanoseconds a sample of many runs; each is long enough to be measured. */
function measure(samples: number, once: () => void): number {
  const times = Math.max(1, Math.ceil(RUN_SAMPLES_MIN / samples))
  let best = Infinity
  const end = performance.now() + MEASURE_MS
  while (performance.now() < end) {
    const start = performance.now()
    for (let i = 0; i < times; i++) once()
    best = Math.min(best, ((performance.now() - start) * 1e6) / (times * samples))
  }
  return best
}

interface Figures {
  bytes: number
  encodeNs: number
  decodeNs: number
}

function measureOurs(all: readonly SampleColumns[], samples: number): Figures {
  const out = new ByteWriter()
  const total = all.length * samples
  const encodeNs = measure(total, () => {
    out.clear()
    for (const columns of all) encodeChunk(columns, 0, samples, out)
  })
  out.clear()
  const places = all.map((columns) => {
    encodeChunk(columns, 0, samples, out)
    return out.length
  })
  const chunks = Uint8Array.prototype.slice.call(out.bytes, 0, out.length)
  const into = new SampleColumns(samples)
  const decodeNs = measure(total, () => {
    for (let i = 0; i < all.length; i++) {
      into.clear()
      decodeChunk(chunks, i === 0 ? 0 : places[i - 1], -Infinity, Infinity, into)
    }
  })
  check(into, all[all.length - 1], samples)
  return { bytes: out.length / total, encodeNs, decodeNs }
}

function measureGorilla(all: readonly SampleColumns[], samples: number): Figures {
  const out = new ByteWriter()
  const total = all.length * samples
  const encodeNs = measure(total, () => {
    out.clear()
    for (const { t, v } of all) encodeGorilla(t, v, samples, out)
  })
  out.clear()
  const places = all.map(({ t, v }) => {
    encodeGorilla(t, v, samples, out)
    return out.length
  })
  const bytes = out.length / total
  out.f64(0)
  const chunks = Uint8Array.prototype.slice.call(out.bytes, 0, out.length)
  const into = new SampleColumns(samples)
  const decodeNs = measure(total, () => {
    for (let i = 0; i < all.length; i++) {
      decodeGorilla(chunks, i === 0 ? 0 : places[i - 1], samples, into.t, into.v)
    }
  })
  check(into, all[all.length - 1], samples)
  return { bytes, encodeNs, decodeNs }
}

/** Figures of a codec that is wrong are worth nothing. */
function check(got: SampleColumns, expected: SampleColumns, samples: number): void {
  for (let i = 0; i < samples; i++) {
    if (got.t[i] !== expected.t[i] || got.v[i] !== expected.v[i])
      throw new Error(`sample ${i} came back wrong`)
  }
}

function printTable(title: string, series: number, samples: number): void {
  process.stdout.write(`${title}\n`)
  process.stdout.write(
    `${'series'.padEnd(22)}${'B/sample'.padStart(9)}${'XOR'.padStart(7)}${'encode ns'.padStart(11)}${'XOR'.padStart(7)}` +
      `${'decode ns'.padStart(11)}${'XOR'.padStart(7)}${'ratio'.padStart(7)}  as\n`,
  )
  for (const kind of KINDS) {
    const all = makeSeries(kind, series, samples)
    const ours = measureOurs(all, samples)
    const xor = measureGorilla(all, samples)
    const out = new ByteWriter()
    encodeChunk(all[0], 0, samples, out)
    const as = describeChunk(out.bytes, 0).replace(/^.*values /, '')
    process.stdout.write(
      `${kind.name.padEnd(22)}${ours.bytes.toFixed(2).padStart(9)}${xor.bytes.toFixed(2).padStart(7)}` +
        `${ours.encodeNs.toFixed(1).padStart(11)}${xor.encodeNs.toFixed(1).padStart(7)}` +
        `${ours.decodeNs.toFixed(1).padStart(11)}${xor.decodeNs.toFixed(1).padStart(7)}` +
        `${(ours.decodeNs / xor.decodeNs).toFixed(2).padStart(7)}  ${as}\n`,
    )
  }
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { samples: { type: 'string', default: '120' }, series: { type: 'string', default: '400' } },
  })
  const samples = Number(values.samples)
  const series = Number(values.series)
  printTable(`${series} series, ${samples} samples a chunk`, series, samples)
  printTable(`\n${series} series, ${SHORT} samples a chunk`, series, SHORT)
}
