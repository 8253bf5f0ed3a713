// Goal: select and the label queries of a block answer as a look at every series would. Method: random series, random
// matchers of every kind, against brute force; then the same with every postings page gone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BlockPages } from '../../../storage/block/block-pages.ts'
import { PageCache } from '../../../storage/block/page-cache.ts'
import { PostingsIndex } from '../../../storage/block/postings-index.ts'
import type { BlockReader } from '../../../storage/block/reader.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Matcher, type MatchOp } from '../../../storage/model/matcher.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'
import { BlockRoom, bruteForce, type PlainSeries, randomSeries, sorted } from './fixture.ts'

const seed = testSeed()
const random = prng(seed)
const room = new BlockRoom()
let want: PlainSeries[]
let reader: BlockReader
let names: string[]

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  // Some labels with more values than a postings page holds, and pairs that all series have.
  const list = randomSeries(seed, 5000, 5)
  for (const series of list) {
    const object = series.labels.toObject()
    object.everywhere = 'yes'
    object.unique = `value-${random.int(0, 1e9)}-${random.int(0, 1e9)}`
    series.labels = Labels.from(object)
  }
  want = sorted(list)
  reader = await room.open(await room.write(list))
  names = [...reader.labelNames(undefined)]
})
afterAll(() => {
  reader.close()
  room.dispose()
})

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}

function randomValue(random: Prng, name: string): string {
  for (let i = 0; i < 50; i++) {
    const value = random.pick(want).labels.get(name)
    if (value !== '') return value
  }
  return 'none'
}

function randomPattern(random: Prng, name: string): string {
  const value = escapeRegex([...randomValue(random, name)].slice(0, random.int(1, 8)).join(''))
  const other = escapeRegex(randomValue(random, name))
  return random.pick([
    other,
    `${other}|${value}`,
    `${value}|`,
    `${value}.*`,
    `${value}.+`,
    `.*${value}`,
    `.*${value}.*`,
    `(?i)${value}.*`,
    `[a-z]+`,
    '.+',
    '.*',
    '',
    `${value}?.*`,
    'nothing',
  ])
}

function randomMatcher(random: Prng): Matcher {
  const name = random.chance(0.05) ? 'missing' : random.pick(names)
  const op = random.pick<MatchOp>(['=', '!=', '=~', '!~'])
  if (op === '=~' || op === '!~') return new Matcher(name, op, randomPattern(random, name))
  return new Matcher(name, op, random.chance(0.15) ? '' : randomValue(random, name))
}

function expectSelect(reader: BlockReader, runs: number): void {
  for (let run = 0; run < runs; run++) {
    const matchers = Array.from({ length: random.int(1, 4) }, () => randomMatcher(random))
    const isWhole = random.chance(0.5)
    const mint = isWhole ? -1e15 : random.pick(want).samples[0].t
    const maxt = isWhole ? 1e15 : mint + random.int(0, 100_000)
    const told = `SEED=${seed} ${matchers.map(({ name, op, value }) => `${name}${op}${value}`)} ${mint} ${maxt}`
    const refs = reader.select(matchers, mint, maxt)
    const expected = bruteForce(want, matchers, mint, maxt)
    expect([...refs], told).toEqual(expected)
    const name = random.pick(names)
    const values = new Set(expected.map((ref) => want[ref].labels.get(name)))
    values.delete('')
    expect(reader.labelValues(name, refs), told).toEqual(values)
    const labelNames = new Set(expected.flatMap((ref) => Object.keys(want[ref].labels.toObject())))
    expect(reader.labelNames(refs), told).toEqual(labelNames)
  }
}

describe('select', () => {
  it('agrees with brute force', () => expectSelect(reader, 600))

  it('answers label queries over all series', () => {
    expect(reader.labelNames(undefined)).toEqual(
      new Set(want.flatMap((one) => Object.keys(one.labels.toObject()))),
    )
    for (const name of [...names, 'missing']) {
      const values = new Set(want.map((one) => one.labels.get(name)))
      values.delete('')
      expect(reader.labelValues(name, undefined)).toEqual(values)
    }
    expect(room.notes).toEqual([])
  })

  it('finds refs of each pair by postings alone, in order', async () => {
    const cache = new PageCache(1)
    const pages = await BlockPages.open(room.folder('00000007'), (note) => room.notes.push(note), cache)
    const postings = new PostingsIndex(pages)
    let total = 0
    for (const name of postings.names()) {
      let before: string | undefined
      postings.forEach(name, '', (value, group, i) => {
        const refs = new Uint32Array(group.counts[i])
        expect(group.read(i, refs, 0)).toBe(refs.length)
        for (const ref of refs) expect(want[ref].labels.get(name)).toBe(value)
        expect(new Set(refs).size).toBe(refs.length)
        expect(value).not.toBe(before)
        before = value
        total += refs.length
      })
    }
    expect(total).toBe(want.reduce((sum, one) => sum + one.labels.size, 0))
    pages.close()
    expect(cache.bytes).toBe(0)
  })
})
