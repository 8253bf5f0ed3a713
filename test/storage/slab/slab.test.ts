// Goal: extents are handed out once, come back only when no reader is older, and tables find what was put in.
import { describe, expect, it } from 'vitest'
import { Directory, MAIN_READER, STATE_READY } from '../../../storage/head/directory.ts'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { SeriesTableWriter } from '../../../storage/head/series-table.ts'
import { selectSeries } from '../../../storage/index/select.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { hash32, hash128 } from '../../../storage/slab/hash.ts'
import { EXTENT_WORDS, READERS_MAX, ReaderPins, Retirements, Slab } from '../../../storage/slab/slab.ts'
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
    const early = pins.acquire(0)
    retirements.retire(1, () => done.push('1'))
    const late = pins.acquire(0)
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

  it('uses freed extents again for runs, and gives none of them out twice', () => {
    const slab = Slab.reserve(8 * MIB)
    // Owners 1 and 2 take turns, so that freeing owner 1 leaves runs of three.
    for (let i = 0; i < 10; i++) {
      slab.allocateRun(3, 1)
      slab.allocate(2)
    }
    slab.free(1)
    const runs = Array.from({ length: 10 }, () => slab.allocateRun(3, 3) / EXTENT_WORDS)
    expect(new Set(runs).size).toBe(10)
    expect(slab.usedBytes).toBe(40 * 65_536)
    slab.free(3)
    const extents = new Set<number>()
    const run = slab.allocateRun(2, 4) / EXTENT_WORDS
    for (let i = 0; i < 28; i++) extents.add(slab.allocate(4) / EXTENT_WORDS)
    expect(extents.size).toBe(28)
    expect([run, run + 1].some((extent) => extents.has(extent))).toBe(false)
    // No fresh memory was needed for any of it.
    expect(Math.max(run + 1, ...extents)).toBeLessThanOrEqual(Math.max(...runs) + 3)
    expect(slab.ownedBytes(2, 3, 4)).toBe(40 * 65_536)
  })

  it('zeroes all of a run that was used before', () => {
    const slab = Slab.reserve(8 * MIB)
    const at = slab.allocateRun(3, 1)
    slab.f64.fill(7, at, at + 3 * EXTENT_WORDS)
    slab.free(1)
    expect(slab.allocateRun(3, 2)).toBe(at)
    expect(slab.f64.subarray(at, at + 3 * EXTENT_WORDS).every((value) => value === 0)).toBe(true)
  })

  it('has slots for the threads of large machines, and refuses those beyond', () => {
    const slab = Slab.reserve(8 * MIB)
    const directory = new Directory(slab)
    directory.setState(STATE_READY)
    directory.publish(42)
    for (const reader of [64, 200, MAIN_READER]) {
      const pins = new ReaderPins(slab, reader)
      const commits: number[] = []
      const pin = pins.acquire(directory.commit)
      slab.visitCommits((commit) => commits.push(commit))
      expect([slab.oldestPin(), ...commits]).toEqual([1, 42])
      pins.release(pin)
      slab.visitCommits((commit) => commits.push(commit))
      expect([slab.oldestPin(), ...commits]).toEqual([Number.POSITIVE_INFINITY, 42])
    }
    expect(directory.view()).toEqual({ roots: [], blocks: [], tombstones: '', commit: 42 })
    expect(() => new ReaderPins(slab, READERS_MAX)).toThrow(RangeError)
    expect(() => new ReaderPins(slab, -1)).toThrow(RangeError)
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

describe('SeriesTableWriter', () => {
  it('finds every series, pair and posting among random label sets', () => {
    const seed = testSeed()
    const random = prng(seed)
    const slab = Slab.reserve(128 * MIB)
    const writer = SeriesTableWriter.create(slab, 1, 1)
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

  it('leaves nothing of a series that found no memory', () => {
    const seed = testSeed()
    const random = prng(seed)
    const slab = Slab.reserve(16 * MIB)
    const writer = SeriesTableWriter.create(slab, 1, 1)
    const bytes = new LabelBytes()
    const added: Labels[] = []
    let failures = 0
    for (let round = 0; round < 60; round++) {
      // A few extents only, so that each round ends at another allocation.
      const ballast = 1000 + round
      const few = random.int(0, 3)
      while (slab.capacityBytes - slab.usedBytes > few * 65_536) slab.allocate(ballast)
      for (let i = 0; i < 3000; i++) {
        const pod = `${round}-${i}`.padEnd(random.int(1, 300), 'x')
        const labels = Labels.from({
          __name__: `m${random.int(0, 5)}`,
          pod,
          [`l${random.int(0, 2000)}`]: 'v',
        })
        bytes.set(labels)
        if (writer.findSeries(bytes) >= 0) continue
        try {
          expect(writer.addSeries(bytes)).toBe(added.length)
          added.push(labels)
        } catch (error) {
          expect(error).toMatchObject({ code: 'NO_MEMORY' })
          if (++failures % 4 === 0) break
        }
      }
      slab.free(ballast)
    }
    expect(failures, `SEED=${seed}`).toBeGreaterThan(100)
    const names = new Set(added.flatMap(({ pairs }) => pairs.filter((_, i) => i % 2 === 0)))
    for (const name of names) {
      // By way of the name's list of pairs, as a regular expression does.
      const found = selectSeries(writer, [new Matcher(name, '=~', '.+')], added.length)
      const want = added.flatMap((labels, index) => (labels.has(name) ? [index] : []))
      expect([...found], `SEED=${seed} ${name}`).toEqual(want)
    }
    for (let m = 0; m <= 5; m++) {
      const found = selectSeries(writer, [new Matcher('__name__', '=', `m${m}`)], added.length)
      const want = added.flatMap((labels, index) => (labels.get('__name__') === `m${m}` ? [index] : []))
      expect([...found], `SEED=${seed} m${m}`).toEqual(want)
    }
  })
})
