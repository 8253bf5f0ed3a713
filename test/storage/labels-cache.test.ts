// Goal: label sets are made once, and the cache stays within its bytes however its places are told of each other's.
import { expect, it } from 'vitest'
import { LabelsCache } from '../../storage/labels-cache.ts'
import { Labels } from '../../storage/model/labels.ts'

function labelsOf(position: number): Labels {
  return Labels.from({ i: String(position) })
}

it('makes what it does not know, and gives what it was told of', () => {
  const cache = new LabelsCache()
  const made: number[] = []
  const make = (position: number) => {
    made.push(position)
    return labelsOf(position)
  }
  const [one, two] = cache.place('a').all([1, 2], make)
  expect(cache.place('a').all([2, 1], make)).toEqual([two, one])
  expect(made).toEqual([1, 2])
  const other = labelsOf(1)
  cache.place('a').replace(1, other)
  expect(cache.place('a').all([1], make)[0]).toBe(other)
  cache.place('b').all([1], make)
  expect(made).toEqual([1, 2, 1])
})

it('forgets all when it is full, also where one place was told of the same again and again', () => {
  const cache = new LabelsCache()
  const place = cache.place('a')
  const [first] = place.all([0], labelsOf)
  for (let i = 0; i < 100_000; i++) place.replace(0, first)
  expect(cache.place('a')).toBe(place)
  place.all(
    Array.from({ length: 50_000 }, (_, position) => position),
    labelsOf,
  )
  expect(cache.place('a')).not.toBe(place)
})
