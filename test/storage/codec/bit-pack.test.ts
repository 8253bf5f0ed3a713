// Goal: numbers of every width come back, from the middle of an array and from its very end.
// Method: random numbers of each width, the largest ones included; sums against plain addition.
import { describe, expect, it } from 'vitest'
import {
  bitWidth,
  pack,
  packedBytes,
  SUMS_WIDTH_MAX,
  unpack,
  unpackSums,
} from '../../../storage/codec/bit-pack.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const seed = testSeed()

describe(`packed numbers (seed ${seed})`, () => {
  it.each([1, 2, 3, 4, 7, 8, 9, 16, 24, 25, 26, 31, 32, 33, 48, 53])('of %i bits', (width) => {
    const random = prng(seed + width)
    for (const count of [1, 2, 3, 4, 5, 8, 31, 120]) {
      const base = random.int(-1000, 1000)
      const most = 2 ** width - 1
      const largest = width > 50 ? most - 1000 : most
      const values = Float64Array.from(
        { length: count },
        () => base + random.pick([0, largest, random.int(0, largest)]),
      )
      for (const slack of [0, 1, 7, 20]) {
        const size = packedBytes(count, width)
        const bytes = new Uint8Array(3 + size + slack).fill(0xff)
        expect(pack(values, 0, count, base, width, bytes, 3)).toBe(3 + size)
        const out = new Float64Array(count + 1)
        unpack(bytes, 3, count, width, base, 1, 1, out, 1)
        expect(out.subarray(1)).toEqual(values)
        if (width > SUMS_WIDTH_MAX) continue
        unpackSums(bytes, 3, count, width, 2, 3, 10, 4, out, 1)
        let sum = 10
        const sums = values.map((value) => {
          sum += 2 + (value - base) * 3
          return sum / 4
        })
        expect(out.subarray(1)).toEqual(sums)
      }
    }
  })

  it('have the width of the largest', () => {
    expect([0, 1, 2, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1].map(bitWidth)).toEqual([
      0, 1, 2, 8, 9, 32, 33, 53,
    ])
  })
})
