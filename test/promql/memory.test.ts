// Goal: queries never have more memory together than they may, and none waits for ever. Method: several queries' shares
// over one array, as threads have them.
import { describe, expect, it } from 'vitest'
import { formatBytes, MEMORY_CELLS, QueryMemory } from '../../promql/memory.ts'

const MIB = 2 ** 20

function shares(totalMib: number, count: number): QueryMemory[] {
  const cells = new Int32Array(new SharedArrayBuffer(4 * MEMORY_CELLS))
  const totalKib = totalMib * 1024
  return Array.from(
    { length: count },
    (_, cell) => new QueryMemory(totalMib * MIB, { cells, cell, totalKib }),
  )
}

const never = { deadlineMs: Number.POSITIVE_INFINITY }

describe('QueryMemory', () => {
  it('lets a query have all, and counts what it gives back', () => {
    const [memory] = shares(4, 1)
    for (let i = 0; i < 100; i++) {
      memory.take(4 * MIB)
      memory.give(4 * MIB)
    }
    expect(memory.peakBytes).toBe(4 * MIB)
    expect(() => memory.take(4 * MIB + 1)).toThrow(
      'query needs more than 4.0 MiB of memory, and may have 4.0 MiB',
    )
  })

  it('refuses what others have, until they close', () => {
    const [one, other] = shares(8, 2)
    one.await(6 * MIB, never)
    expect(() => other.take(4 * MIB)).toThrow('which other queries have at the moment')
    other.give(4 * MIB)
    one.close()
    other.take(4 * MIB)
    expect(() => one.take(6 * MIB)).toThrow('which other queries have at the moment')
  })

  it('takes what it waited for without asking again', () => {
    const [one, other] = shares(8, 2)
    one.await(4 * MIB, never)
    expect(() => other.take(5 * MIB)).toThrow()
    one.take(4 * MIB)
  })

  it('gives up waiting when the query is cancelled or its time is up', () => {
    const [one, other] = shares(8, 2)
    one.await(6 * MIB, never)
    const deadlineMs = performance.now() + 20
    expect(() => other.await(4 * MIB, { deadlineMs })).toThrow('query timed out in query execution')
    expect(() => other.await(4 * MIB, { ...never, cancel: Int32Array.of(1) })).toThrow('query was canceled')
    // What it asked for in vain is nobody's.
    one.close()
    one.await(8 * MIB, never)
  })
})

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [10 * 1024, '10 KiB'],
    [1.5 * MIB, '1.5 MiB'],
    [3 * 2 ** 40, '3.0 TiB'],
  ])('%d', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})
