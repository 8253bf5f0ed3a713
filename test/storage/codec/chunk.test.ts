// Goal: a chunk gives back every bit, in any range, for any series, and garbage is an error or nonsense but never a hang.
// Method: hand-made rows for each rule; seeded random series; random and damaged bytes.
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../../../storage/codec/byte-writer.ts'
import { chunkEnd, chunkInfo, decodeChunk, describeChunk, encodeChunk } from '../../../storage/codec/chunk.ts'
import { StorageError } from '../../../storage/errors.ts'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { KIND_FLOAT, KIND_HISTOGRAM, KIND_STALE, SampleColumns } from '../../../storage/model/sample.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import {
  columnsOf,
  encode,
  expectRoundTrip,
  expectSame,
  floatOf,
  nextHistogram,
  randomColumns,
  randomHistogram,
  SHAPES,
} from './chunk-shapes.ts'

const START = 1_700_000_000_000

const range = (count: number, of: (i: number) => number) => Array.from({ length: count }, (_, i) => of(i))

function describeValues(values: readonly number[]): string {
  return chunkInfo(encode(columnsOf(values)), 0).values
}

function describeTimes(times: readonly number[]): string {
  const values = times.map(() => 1)
  return chunkInfo(encode(columnsOf(values, times)), 0).times
}

describe('the way values are written', () => {
  it.each([
    ['one value', [42.5], 'constant e=1'],
    ['a constant', range(120, () => 42), 'constant e=0'],
    ['a constant that is no decimal', range(120, () => 1e-30), 'constant raw'],
    ['a constant −0', range(9, () => -0), 'constant raw'],
    ['a constant difference', range(120, (i) => i * 15 + 3), 'linear e=0'],
    ['a constant difference of decimals', range(120, (i) => (i * 3 + 1) / 100), 'linear e=2'],
    ['near one another', range(120, (i) => 1000 + ((i * 7) % 16)), 'decimal e=0 4 bits'],
    ['in steps', range(120, (i) => 1e6 + 4096 * ((i * 7) % 16)), 'decimal e=0 4 bits'],
    ['growing', range(120, (i) => 1e6 + i * 100 + ((i * 7) % 16)), 'delta e=0 5 bits'],
    ['growing faster and faster', range(120, (i) => i * i * 50 + (i % 2)), 'delta2 e=0 3 bits'],
    ['rare changes', range(120, (i) => (i < 60 ? 1 : 2)), '2 runs of linear e=0'],
    ['some changes', range(120, (i) => Math.floor(i / 5) ** 2), '24 runs of delta2 e=0 0 bits'],
    ['a reset', range(120, (i) => (i < 50 ? 1e9 : 0) + i * 100 + (i % 3)), 'delta e=0 2 bits'],
    ['floats that are no decimals', range(120, (i) => Math.sqrt(i + 2)), 'halves 22+32 bits'],
    ['single precision', range(120, (i) => Math.fround(Math.sqrt(i + 2))), 'halves 22+3 bits'],
    [
      'an exception',
      range(120, (i) => (i === 7 ? Infinity : i % 16)),
      'decimal e=0 4 bits with 1 exceptions',
    ],
  ])('%s', (_, values, expected) => {
    expect(describeValues(values)).toBe(expected)
    expectRoundTrip(columnsOf(values), prng(1))
  })

  it('is XOR where floats move by their last bits between jumps', () => {
    const values = range(120, (i) => 2 ** (i >>> 4) * Math.sqrt(2 + (i >>> 4)) * (1 + (i % 2) * 2 ** -45))
    expect(describeValues(values)).toMatch(/^xor /)
    expectRoundTrip(columnsOf(values), prng(1))
  })
})

describe('the way times are written', () => {
  it.each([
    ['one', [START], 'single'],
    ['a schedule', range(120, (i) => START + i * 15_000), 'regular 15000 ms'],
    ['a gap', range(120, (i) => START + i * 15_000 + (i < 70 ? 0 : 15_000)), 'deltas 0 bits'],
    ['jitter', range(120, (i) => START + i * 15_000 + ((i * 7) % 16)), 'line 15000 ms 4 bits'],
    ['not whole', [0.5, 1.25], 'raw'],
    ['far apart', [-(2 ** 53), 5, 2 ** 53 - 2], 'raw'],
  ])('%s', (_, times, expected) => {
    expect(describeTimes(times)).toBe(expected)
    expectRoundTrip(
      columnsOf(
        times.map((_, i) => i % 3),
        times,
      ),
      prng(1),
    )
  })
})

describe('size', () => {
  it('is little for a few samples', () => {
    expect(encode(columnsOf([1])).length).toBeLessThanOrEqual(10)
    expect(encode(columnsOf(range(8, () => 1))).length).toBeLessThanOrEqual(11)
    expect(encode(columnsOf(range(8, (i) => i))).length).toBeLessThanOrEqual(12)
    expect(encode(columnsOf(range(8, (i) => 100 + (i % 4)))).length).toBeLessThanOrEqual(16)
  })

  it('is as in the drawing', () => {
    // Eight samples of 5 each second: count 8, 9 bytes, first time 1,700,000,000,000 (signed), step 1 s, column.
    const chunk = encode(
      columnsOf(
        range(8, () => 5),
        range(8, (i) => START + i * 1000),
      ),
    )
    expect(Buffer.from(chunk).toString('hex')).toBe('8009' + '80a0abfef962' + '03' + '0005')
  })

  it('is asked for from 1 to 4,096 samples', () => {
    const columns = columnsOf(range(5000, (i) => i))
    const out = new ByteWriter()
    expect(() => encodeChunk(columns, 3, 3, out)).toThrow(RangeError)
    expect(() => encodeChunk(columns, 0, 4097, out)).toThrow(RangeError)
    expect(() => encodeChunk(columnsOf([1, 2], [5, 4]), 0, 2, out)).toThrow(RangeError)
    expect(out.length).toBe(0)
    expect(chunkEnd(columns, 0, 5000)).toBe(4096)
    expect(chunkEnd(columns, 4990, 5000)).toBe(5000)
  })
})

describe('chunks', () => {
  it('follow one another in a writer', () => {
    const columns = columnsOf(range(1000, (i) => i * 3))
    const out = new ByteWriter(8)
    for (let from = 0; from < 1000; from += 100) encodeChunk(columns, from, from + 100, out)
    const into = new SampleColumns()
    for (let at = 0; at < out.length; at += chunkInfo(out.bytes, at).byteLength) {
      decodeChunk(out.bytes, at, START + 30_000, START + 15_000 * 950, into)
    }
    expect(into.length).toBe(949)
    expectSame(into, 0, columns, 2, 951)
  })

  it('say their bounds and what is in them', () => {
    const columns = columnsOf([1, 2])
    columns.push(START + 30_000, 0, KIND_STALE)
    columns.pushHistogram(START + 40_003, { ...EMPTY_HISTOGRAM, sum: 1.5 }, KIND_HISTOGRAM)
    const chunk = encode(columns)
    expect(chunkInfo(chunk, 0)).toMatchObject({ samples: 4, mint: START, maxt: START + 40_003, stale: 1 })
    expect(describeChunk(chunk, 0)).toBe(
      '4 samples, times deltas 13 bits, values linear e=0, 1 histograms, 1 layouts, 3 columns, 1 stale, 48 bytes',
    )
  })

  it('keep every kind and know when all are floats', () => {
    const columns = columnsOf([1, 2])
    columns.push(START + 30_000, 0, KIND_STALE)
    columns.push(START + 45_000, 3, KIND_FLOAT)
    const into = new SampleColumns()
    decodeChunk(encode(columns), 0, START, START + 15_000, into)
    expect(into.allFloat).toBe(true)
    decodeChunk(encode(columns), 0, START + 30_000, START + 45_000, into)
    expect(into.allFloat).toBe(false)
    expectSame(into, 0, columns, 0, 4)
  })

  it('have start timestamps where samples have some, and else take nothing for them', () => {
    const columns = columnsOf(range(8, () => 5))
    const plain = encode(columns)
    columns.setStart(0, 7)
    columns.setStart(0, 0)
    expect(Array.from(encode(columns))).toEqual(Array.from(plain))
    for (let i = 0; i < 8; i++) columns.setStart(i, 7)
    // The flag, three bytes more, and the section: a constant column of 7.
    const started = Uint8Array.from([...plain, 2, 0x00, 0x07])
    started[0] |= 8
    started[1] += 3
    expect(Array.from(encode(columns))).toEqual(Array.from(started))
    expectRoundTrip(columns, prng(1))
    expect(chunkInfo(started, 0)).toMatchObject({ byteLength: started.length, starts: 'constant e=0' })
    expect(describeChunk(started, 0)).toContain(', starts constant e=0, ')
    // Those of an earlier chunk are not those of the next one.
    const into = new SampleColumns(1)
    decodeChunk(started, 0, -Infinity, columns.t[6], into)
    decodeChunk(plain, 0, columns.t[7], Infinity, into)
    expect(Array.from(into.st.subarray(0, into.length))).toEqual([7, 7, 7, 7, 7, 7, 7, 0])
    started[started.length - 3] = 1
    expect(() => decodeChunk(started, 0, -Infinity, Infinity, into)).toThrow(StorageError)
    expect(into.length).toBe(8)
  })

  it('do not mix up −0 and 0, nor NaNs', () => {
    const values = range(40, (i) => (i % 3 === 0 ? -0 : 0))
    expectRoundTrip(columnsOf(values), prng(1))
    expectRoundTrip(columnsOf(range(40, (i) => floatOf(0x7ff80000, i))), prng(1))
    expectRoundTrip(columnsOf(range(40, () => Number.NaN)), prng(1))
  })
})

describe('histograms', () => {
  it('of one layout share it', () => {
    const random = prng(5)
    const columns = new SampleColumns()
    let histogram = { ...randomHistogram(random, KIND_HISTOGRAM), schema: 3 }
    for (let i = 0; i < 100; i++) {
      columns.pushHistogram(START + i * 15_000, histogram, KIND_HISTOGRAM)
      histogram = { ...histogram, count: histogram.count + i, counterResetHint: 'not_reset' }
    }
    const chunk = expectRoundTrip(columns, random)
    expect(chunkInfo(chunk, 0).layouts).toMatch(/^100 histograms, 1 layouts/)
    const into = new SampleColumns()
    decodeChunk(chunk, 0, -Infinity, Infinity, into)
    expect(into.histograms[0].positiveSpans).toBe(into.histograms[99].positiveSpans)
  })

  it('that are large end a chunk early', () => {
    const large = {
      ...EMPTY_HISTOGRAM,
      positiveSpans: [{ offset: 0, length: 50_000 }],
      positiveBuckets: range(50_000, (i) => i),
    }
    const columns = new SampleColumns()
    for (let i = 0; i < 10; i++) columns.pushHistogram(i, large, KIND_HISTOGRAM)
    expect(chunkEnd(columns, 0, 10)).toBe(2)
    expect(chunkEnd(columns, 9, 10)).toBe(10)
    const out = new ByteWriter()
    encodeChunk(columns, 0, 2, out)
    const into = new SampleColumns()
    decodeChunk(out.bytes, 0, 1, 1, into)
    expect(into.histograms).toEqual([{ ...large, counterResetHint: 'not_reset' }])
  })
})

describe('random series', () => {
  const seed = testSeed()

  it.each(Object.keys(SHAPES))(`%s comes back (seed ${seed})`, (shape) => {
    const random = prng(seed)
    for (const count of [1, 2, 3, 8, 15, 16, 17, 120, 4096]) {
      for (let n = 0; n < 4; n++) {
        const value = SHAPES[shape](random)
        expectRoundTrip(columnsOf(range(count, value)), random)
      }
    }
  })

  it(`of any times, kinds and bits come back (seed ${seed})`, () => {
    const random = prng(seed)
    for (let n = 0; n < 1500; n++) {
      expectRoundTrip(randomColumns(random, random.pick([1, 2, 5, 8, 30, 120, 300])), random)
    }
    for (let n = 0; n < 10; n++) expectRoundTrip(randomColumns(random, 4096), random)
  }, 60_000)

  it(`of histograms come back (seed ${seed})`, () => {
    const random = prng(seed)
    for (let n = 0; n < 40; n++) {
      const columns = new SampleColumns()
      let histogram = randomHistogram(random, KIND_HISTOGRAM)
      for (let i = 0; i < 60; i++) {
        columns.pushHistogram(START + i * 15_000, histogram, KIND_HISTOGRAM)
        histogram = nextHistogram(random, histogram, KIND_HISTOGRAM)
      }
      expectRoundTrip(columns, random)
    }
  })
})

describe('garbage', () => {
  const seed = testSeed()

  /** Either samples or CORRUPTION, and in that case columns as they were. */
  function expectHarmless(bytes: Uint8Array, at: number): void {
    const into = columnsOf([7], [-(2 ** 53)])
    try {
      decodeChunk(bytes, at, -Infinity, Infinity, into)
    } catch (error) {
      expect(error).toBeInstanceOf(StorageError)
      expect((error as StorageError).code).toBe('CORRUPTION')
      expect(into.length).toBe(1)
      expect(into.histograms.length).toBe(0)
      expect(into.allFloat).toBe(true)
    }
    expect(into.length).toBeLessThanOrEqual(1 + 4096)
    expectSame(into, 0, columnsOf([7], [-(2 ** 53)]), 0, 1)
    try {
      describeChunk(bytes, at)
    } catch (error) {
      expect(error).toBeInstanceOf(StorageError)
    }
  }

  it(`of random bytes is harmless (seed ${seed})`, () => {
    const random = prng(seed)
    for (let n = 0; n < 20_000; n++) {
      const bytes = Uint8Array.from({ length: random.int(0, 60) }, () => random.int(0, 255))
      expectHarmless(bytes, random.int(0, 3))
    }
    const zeros = new Uint8Array(1 << 20)
    expectHarmless(zeros, 5)
    expectHarmless(zeros.fill(0xff), 5)
  })

  it(`in a real chunk is harmless (seed ${seed})`, () => {
    const random = prng(seed)
    for (let n = 0; n < 300; n++) {
      const chunk = encode(randomColumns(random, random.pick([1, 3, 8, 40])))
      for (let k = 0; k < 40; k++) {
        const damaged = chunk.slice(0, random.chance(0.2) ? random.int(0, chunk.length) : chunk.length)
        for (let m = random.int(1, 3); m > 0 && damaged.length > 0; m--) {
          damaged[random.int(0, damaged.length - 1)] = random.int(0, 255)
        }
        expectHarmless(damaged, 0)
      }
    }
  }, 60_000)

  it('does not spoil what is decoded after it', () => {
    const columns = columnsOf(range(120, (i) => i % 7))
    const chunk = encode(columns)
    const random = prng(seed)
    for (let n = 0; n < 200; n++) {
      const damaged = chunk.slice()
      damaged[random.int(0, damaged.length - 1)] ^= 1 << random.int(0, 7)
      expectHarmless(damaged, 0)
      expectRoundTrip(columns, random)
    }
  })
})
