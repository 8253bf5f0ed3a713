/**
 * Takes out of the files of a damaged log whatever is as it was written. LevelDB has no part in it: its own repair aborts
 * the process over some damage (measured). Each page proves itself by its checksum, over its key too; so pages are
 * looked for everywhere, and what is no page is passed over.
 *
 * Deletions are not heeded, since nothing proves them; what was deleted is told by the record of the oldest generation.
 */
import { ByteWriter } from '../codec/byte-writer.ts'
import { StorageError } from '../errors.ts'
import { levelEntries } from '../level/folder.ts'
import type { Page, Store } from '../store.ts'
import { isOldestKey, oldestPage, readOldest } from './oldest.ts'
import { checkPage, generationsRange, pageKey, parsePageKey, RECORD_FILL_IN, sealPage } from './record.ts'
import { type Gap, surveyLog } from './survey.ts'

const WRITE_BYTES_MAX = 2 ** 20

/**
 * Copies the good pages of the closed database at `path` into an empty one, and fills the gaps with pages that say so.
 * `kept`: where the damaged original is, as text. Throws NEWER_FORMAT, WRITE_FAILED.
 */
export async function salvageLog(path: string, to: Store, kept: string): Promise<Gap[]> {
  const oldest = (await copyPages(path, to)) ?? (await firstGeneration(to))
  await to.write([oldestPage(oldest)], false)
  await to.clear(generationsRange(0, oldest))
  const { gaps } = await surveyLog(to)
  await to.write([oldestPage(oldest), ...gaps.map((gap) => fillIn(gap, kept))], true)
  return gaps
}

/** Returns the oldest generation as it is recorded, undefined when no record is left. */
async function copyPages(path: string, to: Store): Promise<number | undefined> {
  const sequences = new Map<string, number>()
  let oldest: number | undefined
  let pages: Page[] = []
  let bytes = 0
  for await (const { key, value, sequence, isDeleted } of levelEntries(path)) {
    if (isDeleted || !isGood({ key, value })) continue
    if (isOldestKey(key)) {
      oldest = Math.max(oldest ?? 0, readOldest({ key, value }))
      continue
    }
    const name = Buffer.from(key).toString('latin1')
    if (sequence < (sequences.get(name) ?? 0)) continue
    sequences.set(name, sequence)
    pages.push({ key, value })
    bytes += value.length
    if (bytes < WRITE_BYTES_MAX) continue
    await to.write(pages, false)
    pages = []
    bytes = 0
  }
  await to.write(pages, false)
  return oldest
}

/** Whether it is a page, or the record of the oldest generation, as it was written. Throws NEWER_FORMAT. */
function isGood(page: Page): boolean {
  try {
    if (!isOldestKey(page.key)) parsePageKey(page.key)
    checkPage(page)
    return true
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    return false
  }
}

async function firstGeneration(store: Store): Promise<number> {
  const key = await store.firstKey(generationsRange(0, 0xffffffff))
  return key === undefined ? 0 : parsePageKey(key).generation
}

function fillIn({ generation, firstPage, finalPage }: Gap, kept: string): Page {
  const out = new ByteWriter(64)
  out.f64(0)
  out.u8(RECORD_FILL_IN)
  out.varint(finalPage)
  const text = Buffer.from(kept)
  out.varint(text.length)
  out.copy(text)
  const key = pageKey(generation, firstPage)
  const value = new Uint8Array(out.bytes.subarray(0, out.length))
  sealPage(key, value)
  return { key, value }
}
