// Goal: numbers are written as Prometheus writes them. Method: a table of every form with its text, then one law:
// the fast path by digits gives what the plain formatting gives, and both read back to the same float.
import { describe, expect, it } from 'vitest'
import {
  formatScalar,
  formatScalarTime,
  formatValue,
  putTime,
  putValue,
  TIME_BYTES_MAX,
  VALUE_BYTES_MAX,
} from '../../src/query/json-number.ts'
import { prng, testSeed } from '../harness/prng.ts'

function written(put: (bytes: Uint8Array, at: number, n: number) => number, n: number, room: number): string {
  const bytes = new Uint8Array(room + 3)
  const end = put(bytes, 3, n)
  expect(end - 3).toBeLessThanOrEqual(room)
  return Buffer.from(bytes.subarray(3, end)).toString('latin1')
}

const value = (v: number) => written(putValue, v, VALUE_BYTES_MAX)
const time = (ms: number) => written(putTime, ms, TIME_BYTES_MAX)

// The third column is the same number as a scalar, where that differs.
const VALUES: [number, string, string?][] = [
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [-1, '-1'],
  [9, '9'],
  [10, '10'],
  [99, '99'],
  [100, '100'],
  [2147483647, '2147483647'],
  [2147483648, '2147483648'],
  [-4294967296, '-4294967296'],
  [999999999999999, '999999999999999'],
  [1e15, '1000000000000000'],
  [2 ** 53, '9007199254740992'],
  [123456789012345680000, '123456789012345680000'],
  [1e20, '100000000000000000000'],
  [999999999999999900000, '999999999999999900000'],
  [1e21, '1e+21', '1000000000000000000000'],
  [-1.5e21, '-1.5e+21', '-1500000000000000000000'],
  [1e100, '1e+100', `1${'0'.repeat(100)}`],
  [1.7976931348623157e308, '1.7976931348623157e+308', `17976931348623157${'0'.repeat(292)}`],
  [0.1, '0.1'],
  [-0.5, '-0.5'],
  [0.25, '0.25'],
  [0.125, '0.125'],
  [0.001, '0.001'],
  [0.01, '0.01'],
  [1.01, '1.01'],
  [1.1, '1.1'],
  [123.456, '123.456'],
  [-123.45, '-123.45'],
  [0.0005, '0.0005'],
  [123456789012.345, '123456789012.345'],
  [1 / 3, '0.3333333333333333'],
  [0.1 + 0.2, '0.30000000000000004'],
  [1e-6, '0.000001'],
  [0.000001234, '0.000001234'],
  [9.99e-7, '9.99e-07', '0.000000999'],
  [1e-7, '1e-07', '0.0000001'],
  [-1.25e-7, '-1.25e-07', '-0.000000125'],
  [1e-10, '1e-10', '0.0000000001'],
  [5e-324, '5e-324', `0.${'0'.repeat(323)}5`],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
]

describe('a value', () => {
  it.each(VALUES)('%d is %s', (v, text, scalar = text) => {
    expect(value(v)).toBe(text)
    expect(formatValue(v)).toBe(text)
    expect(formatScalar(v)).toBe(scalar)
  })

  it('is the shortest text that reads back to the same float, by either path', () => {
    const seed = testSeed()
    const random = prng(seed)
    const bits = new DataView(new ArrayBuffer(8))
    for (let run = 0; run < 20_000; run++) {
      bits.setUint32(0, random.int(0, 0xffffffff))
      bits.setUint32(4, random.int(0, 0xffffffff))
      const decimals = random.int(0, 5)
      const v = random.pick([
        bits.getFloat64(0),
        random.int(-1e9, 1e9),
        random.int(0, Number.MAX_SAFE_INTEGER),
        random.int(-1e12, 1e12) / 10 ** decimals,
        random.next() * 1000,
        random.next(),
      ])
      const where = `SEED=${seed} run=${run} v=${v}`
      expect(value(v), where).toBe(formatValue(v))
      expect(Number(value(v).replace('Inf', 'Infinity')), where).toBe(v)
      expect(Number(formatScalar(v).replace('Inf', 'Infinity')), where).toBe(v)
    }
  })
})

describe('the time of a sample', () => {
  it.each([
    [0, '0'],
    [1, '0.001'],
    [1000, '1'],
    [1500, '1.500'],
    [1010, '1.010'],
    [1435781451781, '1435781451.781'],
    [1435781451000, '1435781451'],
    [-1, '-0.001'],
    [-1500, '-1.500'],
    [-62135596800000, '-62135596800'],
    [Number.MAX_SAFE_INTEGER, '9007199254740.991'],
  ])('%d ms is %s', (ms, text) => expect(time(ms)).toBe(text))

  it.each([
    [1500, '1.5'],
    [1435781451781, '1435781451.781'],
    [1435781451000, '1435781451'],
    [-1, '-0.001'],
    [0, '0'],
  ])('of a scalar: %d ms is %s', (ms, text) => expect(formatScalarTime(ms)).toBe(text))
})
