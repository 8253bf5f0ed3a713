// Goal: the hash is xxHash64. Method: the values that the algorithm's specification and Go's library publish, for
// lengths that take every branch.
import { describe, expect, it } from 'vitest'
import { labelsHashRatio, xxHash64 } from '../../../promql/functions/xxhash64.ts'
import { Labels } from '../../../storage/model/labels.ts'

describe('xxHash64', () => {
  it.each([
    ['', 0xef46db3751d8e999n],
    ['a', 0xd24ec4f1a98c6e5bn],
    ['as', 0x1c330fb2d66be179n],
    ['asd', 0x631c37ce72a97393n],
    ['asdf', 0x415872f599cea71en],
    ['Call me Ishmael. Some years ago--never mind how long precisely-', 0x02a2e85470d6fd96n],
  ])('%s', (text, want) => expect(xxHash64(Buffer.from(text))).toBe(want))

  it('of a label set is of its names and values, each after its length', () => {
    const long = 'v'.repeat(300)
    const labels = Labels.from({ a: 'b', c: long })
    const lengths = Buffer.from([255, 300 & 255, 1, 0])
    const bytes = Buffer.concat([Buffer.from('\x01a\x01b\x01c'), lengths, Buffer.from(long)])
    expect(labelsHashRatio(labels)).toBe(Number(xxHash64(bytes)) / 2 ** 64)
  })
})
