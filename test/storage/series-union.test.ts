// Goal: series of several places become one sorted list, each once, whatever the order in a place. Method: random sets of
// series in random places against a map by label set.
import { describe, expect, it } from 'vitest'
import { LabelsCache } from '../../storage/labels-cache.ts'
import { compareLabels, Labels } from '../../storage/model/labels.ts'
import { type PlaceSeries, uniteSeries } from '../../storage/series-union.ts'
import { prng, testSeed } from '../harness/prng.ts'

const LABELS = Array.from({ length: 40 }, (_, i) =>
  Labels.from({ Z: `${i % 3}`, __name__: `m${i % 7}`, i: `${i}` }),
)

describe('uniteSeries', () => {
  it('gives each series once, in order, with its place in each place', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 200; run++) {
      const replaced: [number, number, Labels][] = []
      const places = Array.from({ length: random.int(0, 5) }, (_, p): PlaceSeries => {
        const chosen = LABELS.filter(() => random.chance(0.4)).map((labels) => new Labels(labels.pairs))
        if (random.chance(0.7)) chosen.sort(compareLabels)
        const positions = Float64Array.from(chosen, (_, i) => 10 * i + p)
        return { positions, labels: chosen, replace: (i, labels) => replaced.push([p, i, labels]) }
      })
      const { labels, positions } = uniteSeries(places)
      const want = LABELS.toSorted(compareLabels).filter((one) =>
        places.some((place) => place.labels.some((other) => compareLabels(one, other) === 0)),
      )
      const about = `SEED=${seed} run=${run}`
      expect(
        labels.map((one) => one.key()),
        about,
      ).toEqual(want.map((one) => one.key()))
      for (const [i, one] of want.entries()) {
        for (const [p, place] of places.entries()) {
          const at = place.labels.findIndex((other) => compareLabels(one, other) === 0)
          expect(positions[i * places.length + p], about).toBe(at < 0 ? -1 : place.positions[at])
        }
      }
      for (const [p, i, one] of replaced) {
        expect(compareLabels(places[p].labels[i], one), about).toBe(0)
        expect(labels).toContain(one)
      }
    }
  })
})

describe('LabelsCache', () => {
  it('makes the labels of a place once, until there are too many', () => {
    const cache = new LabelsCache()
    let made = 0
    const make = (i: number) => {
      made++
      return Labels.from({ i: String(i) })
    }
    const first = cache.place('a').all([1, 2, 3], make)
    expect(cache.place('a').all([3, 1], make)).toEqual([first[2], first[0]])
    expect(made).toBe(3)
    cache.place('b').all([1], make)
    expect(made).toBe(4)
    cache.place('a').replace(1, first[1])
    expect(cache.place('a').all([1], make)[0]).toBe(first[1])
    cache.place('b').all(
      Array.from({ length: 40_000 }, (_, i) => i),
      make,
    )
    made = 0
    cache.place('a').all([1, 2, 3], make)
    expect(made).toBe(3)
  })
})
