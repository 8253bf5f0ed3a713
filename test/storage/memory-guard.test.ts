// Goal: new series are refused over the limit, until there is room again, and what cannot be asked ends nothing. Method:
// a made-up amount of memory.
import { expect, it } from 'vitest'
import {
  defaultMemoryLimit,
  headBytesFor,
  MemoryGuard,
  type MemoryState,
} from '../../storage/memory-guard.ts'
import { EXTENT_BYTES, Slab } from '../../storage/slab/slab.ts'

const MIB = 2 ** 20

it('refuses over the limit, until a twentieth of it is free', async () => {
  const changes: MemoryState[] = []
  let bytes = 1000
  const guard = new MemoryGuard({
    limitBytes: 1000,
    slab: Slab.reserve(MIB),
    readBytes: async () => bytes,
    onChange: (state) => changes.push(state),
  })
  const allowed: boolean[] = []
  for (bytes of [1000, 1001, 951, 950, 1000]) {
    await guard.check()
    allowed.push(guard.allowsSeries)
  }
  expect(allowed).toEqual([true, false, false, true, true])
  expect(changes.map(({ usedBytes, allowsSeries }) => [usedBytes, allowsSeries])).toEqual([
    [1001, false],
    [950, true],
  ])
  guard.close()
})

it('counts free extents of the slab as free', async () => {
  const slab = Slab.reserve(8 * MIB)
  slab.allocate(2)
  slab.allocate(2)
  slab.free(2)
  const guard = new MemoryGuard({ limitBytes: 0, slab, readBytes: async () => 10 * EXTENT_BYTES })
  await guard.check()
  expect(guard.state).toEqual({ usedBytes: 8 * EXTENT_BYTES, limitBytes: 0, allowsSeries: true })
  guard.close()
})

it('says once that it cannot be asked, and goes on as before', async () => {
  const errors: unknown[] = []
  const failure = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  let fails = true
  const guard = new MemoryGuard({
    limitBytes: 10,
    slab: Slab.reserve(MIB),
    readBytes: async () => {
      if (fails) throw failure
      return 11
    },
    onError: (error) => errors.push(error),
  })
  await guard.check()
  await guard.check()
  expect([errors, guard.allowsSeries]).toEqual([[failure], true])
  fails = false
  await guard.check()
  fails = true
  await guard.check()
  expect([errors.length, guard.allowsSeries]).toEqual([2, false])
  guard.close()
})

it('chooses by the container or the machine', () => {
  expect(defaultMemoryLimit(0, 1000)).toBe(750)
  expect(defaultMemoryLimit(500, 1000)).toBe(450)
  expect(defaultMemoryLimit(2 ** 63, 1000)).toBe(750)
  expect(
    [headBytesFor(MIB), headBytesFor(100 * MIB), headBytesFor(2 ** 40)].map((bytes) => bytes / MIB),
  ).toEqual([16, 60, 4032])
})
