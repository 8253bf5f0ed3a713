/**
 * The record of the log's oldest generation: what tells a generation that was deleted from one that was lost.
 *
 *   key 'o', value as a page (record.ts): 8 bytes as at the head of every page, then a varint: the oldest generation that
 *   has pages; 0 = none was deleted so far, so that the first one there is says of none before it.
 */

import { ByteReader } from '../codec/byte-reader.ts'
import { ByteWriter } from '../codec/byte-writer.ts'
import type { Page, Store } from '../store.ts'
import { checkPage, generationsRange, PAGE_HEADER, sealPage } from './record.ts'

/** Sorts before all pages. */
const OLDEST_KEY = new TextEncoder().encode('o')

export function isOldestKey(key: Uint8Array): boolean {
  return key.length === 1 && key[0] === OLDEST_KEY[0]
}

export function oldestPage(generation: number): Page {
  const out = new ByteWriter(16)
  out.f64(0)
  out.varint(generation)
  const value = new Uint8Array(out.bytes.subarray(0, out.length))
  sealPage(OLDEST_KEY, value)
  return { key: OLDEST_KEY, value }
}

/** Throws CORRUPTION, NEWER_FORMAT. */
export function readOldest(page: Page): number {
  checkPage(page)
  return new ByteReader(page.value, PAGE_HEADER).varint()
}

/** Deletes the pages of generations below `oldest`, for good. Throws WRITE_FAILED. */
export async function clearGenerations(store: Store, oldest: number): Promise<void> {
  await store.write([oldestPage(oldest)], true)
  await store.clear(generationsRange(0, oldest))
}
