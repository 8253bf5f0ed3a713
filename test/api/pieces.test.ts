// Goal: a large body arrives whole, whatever the size of its last piece, and the thread has other turns meanwhile.
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { inPieces } from '../../src/api/pieces.ts'

it.each([0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])('%d bytes', async (length) => {
  const body = Uint8Array.from({ length }, (_, i) => i * 31)
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  const got = await buffer(inPieces(body))
  clearInterval(timer)
  expect(got.equals(body)).toBe(true)
  if (length === 3_000_000) expect(turns).toBeGreaterThan(0)
})
