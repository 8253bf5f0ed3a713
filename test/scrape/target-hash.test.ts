// Goal: the hashes are the published functions. Method: their authors' test vectors, and laws of the offset.
import { describe, expect, it } from 'vitest'
import {
  fnv1a64,
  labelsHash,
  offsetSeed,
  scrapeOffsetMs,
  targetHash,
  xxhash64,
} from '../../src/scrape/target-hash.ts'
import { Labels } from '../../storage/model/labels.ts'

describe('hashes', () => {
  it.each([
    ['', 0xcbf29ce484222325n],
    ['a', 0xaf63dc4c8601ec8cn],
    ['foobar', 0x85944171f73967e8n],
  ])('FNV-1a of %j', (text, hash) => expect(fnv1a64(text)).toBe(hash))

  it.each([
    ['', 0xef46db3751d8e999n],
    ['a', 0xd24ec4f1a98c6e5bn],
    ['as', 0x1c330fb2d66be179n],
    ['asdf', 0x415872f599cea71en],
    ['Call me Ishmael. Some years ago--never mind how long precisely-', 0x02a2e85470d6fd96n],
  ])('xxHash64 of %j', (text, hash) => expect(xxhash64(Buffer.from(text))).toBe(hash))

  it('of labels: each string behind its length, in three bytes where one is too small', () => {
    expect(labelsHash(Labels.from({ a: 'bc' }))).toBe(xxhash64(Buffer.from('\x01a\x02bc', 'latin1')))
    const long = 'x'.repeat(300)
    const bytes = Buffer.concat([Buffer.from([1, 97, 255, 44, 1, 0]), Buffer.from(long)])
    expect(labelsHash(Labels.from({ a: long }))).toBe(xxhash64(bytes))
  })

  it('of a target: FNV-1a of the decimal hash of its labels and its URL', () => {
    const labels = Labels.from({ a: 'b' })
    expect(targetHash(labels, 'http://h/')).toBe(fnv1a64(`${labelsHash(labels)}http://h/`))
  })
})

describe('the offset', () => {
  it('lies within the interval, and differs between targets, servers and intervals', () => {
    const offsets = new Set<number>()
    for (let i = 0; i < 1000; i++) {
      const hash = targetHash(Labels.from({ instance: `t:${i}` }), `http://t:${i}/metrics`)
      const offsetMs = scrapeOffsetMs(hash, offsetSeed('host', Labels.EMPTY), 15_000)
      expect(offsetMs).toBeGreaterThanOrEqual(0)
      expect(offsetMs).toBeLessThan(15_000)
      offsets.add(Math.floor(offsetMs / 150))
    }
    // 1,000 targets over 100 parts of the interval: hardly one is empty.
    expect(offsets.size).toBeGreaterThan(95)
    const seeds = [
      offsetSeed('host', Labels.EMPTY),
      offsetSeed('host', Labels.from({ replica: 'b' })),
      offsetSeed('other', Labels.EMPTY),
    ]
    expect(new Set(seeds.map((seed) => scrapeOffsetMs(1n, seed, 1e9))).size).toBe(3)
  })
})
