// Goal: extents are handed out once, come back only when no reader is older, and tables find what was put in.
import { describe, expect, it } from 'vitest'
import { GenerationWriter } from '../../../storage/head/generation.ts'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { hash32, hash128 } from '../../../storage/slab/hash.ts'
import { EXTENT_WORDS, ReaderPins, Retirements, Slab } from '../../../storage/slab/slab.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const MIB = 2 ** 20

describe('Slab', () => {
  it('zeroes an extent before it is used again', () => {
    const slab = Slab.reserve(8 * MIB)
    const at = slab.allocate(1)
    slab.f64.fill(7, at, at + EXTENT_WORDS)
    slab.free(1)
    const again = slab.allocate(2)
    expect(again).toBe(at)
    expect(slab.f64.subarray(again, again + EXTENT_WORDS).every((value) => value === 0)).toBe(true)
    expect(slab.usedBytes).toBe(65_536)
  })

  it('says NO_MEMORY when it is used up, and goes on when something was freed', () => {
    const slab = Slab.reserve(4 * MIB)
    expect(() => {
      for (;;) slab.allocate(1)
    }).toThrow(expect.objectContaining({ code: 'NO_MEMORY' }))
    slab.free(1)
    expect(slab.allocate(2)).toBeGreaterThan(0)
  })

  it('frees what was retired when the last older reader is gone', () => {
    const slab = Slab.reserve(8 * MIB)
    const pins = new ReaderPins(slab, 3)
    const retirements = new Retirements(slab)
    const done: string[] = []
    slab.allocate(1)
    slab.allocate(2)
    const early = pins.acquire()
    retirements.retire(1, () => done.push('1'))
    const late = pins.acquire()
    retirements.retire(2, () => done.push('2'))
    expect(done).toEqual([])
    pins.release(early)
    retirements.sweep()
    expect(done).toEqual(['1'])
    pins.release(late)
    retirements.sweep()
    expect(done).toEqual(['1', '2'])
    expect(slab.usedBytes).toBe(0)
    expect(() => pins.release(late)).toThrow('a pin is released once')
  })
})

describe('hashes', () => {
  // Reference values of MurmurHash3 with seed 0, from its author's test programme.
  it('are MurmurHash3', () => {
    const text = Buffer.from('The quick brown fox jumps over the lazy dog')
    expect(hash32(text, 0, text.length).toString(16)).toBe('2e4ff723')
    expect(hash32(text, 0, 0)).toBe(0)
    const out = new Uint32Array(4)
    hash128(text, 0, text.length, out)
    expect([...out].map((word) => word.toString(16))).toEqual([
      '2f1583c3',
      'ecee2c67',
      '5d7bf66c',
      'e5e91d2c',
    ])
  })
})

describe('GenerationWriter', () => {
  it('finds every series, pair and posting among random label sets', () => {
    const seed = testSeed()
    const random = prng(seed)
    const slab = Slab.reserve(128 * MIB)
    const writer = GenerationWriter.create(slab, 1)
    const bytes = new LabelBytes()
    const model = new Map<string, Labels>()
    for (let i = 0; i < 20_000; i++) {
      const labels = Labels.from({
        __name__: `m${random.int(0, 50)}`,
        pod: `pod-${random.int(0, 3000)}`,
        ...(random.chance(0.5) ? { zone: random.pick(['a', 'b', 'c']) } : {}),
      })
      bytes.set(labels)
      const known = model.has(labels.key())
      expect(writer.findSeries(bytes) >= 0, `SEED=${seed} ${labels.key()}`).toBe(known)
      if (known) continue
      expect(writer.addSeries(bytes)).toBe(model.size)
      model.set(labels.key(), labels)
    }
    const all = [...model.values()]
    expect(writer.seriesCount).toBe(all.length)
    for (const value of ['a', 'b', 'c', 'none']) {
      const pair = writer.findPair(writer.symbols.findText('zone'), writer.symbols.findText(value))
      const want = all.flatMap((labels, index) => (labels.get('zone') === value ? [index] : []))
      const out = new Uint32Array(want.length + 1)
      const end = pair < 0 ? 0 : writer.readPostings(pair, writer.seriesCount, out, 0)
      expect([...out.subarray(0, end)], `SEED=${seed} ${value}`).toEqual(want)
      if (want.length > 10) {
        const part = writer.readPostings(pair, want[10], out, 0)
        expect(part, 'stops at the reader’s number of series').toBe(10)
      }
    }
    for (let index = 0; index < all.length; index += 97) {
      writer.copyLabels(index, bytes)
      expect(writer.findSeries(bytes)).toBe(index)
    }
  })
})
