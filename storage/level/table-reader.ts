/**
 * Looks up keys in a table file of a sealed folder, without LevelDB.
 *
 * LevelDB trusts its tables: a flipped bit in an index gives a length that was never written, and one in the head of an
 * entry ends the whole process by an assertion (measured, with classic-level 3). It also writes into a folder that it
 * opens, and takes milliseconds for it. The tables of a sealed folder are all there is to read and are never written
 * again. The format is drawn in table-file.ts; in the index an entry is a data block: a key at or behind its last one,
 * and its handle.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ByteReader } from '../codec/byte-reader.ts'
import { StorageError } from '../errors.ts'
import {
  blockEntries,
  checkBlock,
  FOOTER,
  type Handle,
  readFooter,
  readHandle,
  TRAILER,
} from './table-file.ts'

/** LevelDB's own end of a key. */
const OWN_KEY_BYTES = 8

/** A data block: no key in it is behind `finalKey`. */
interface BlockPlace extends Handle {
  finalKey: Uint8Array
}

export class TableReader {
  readonly path: string
  /** Why pages cannot be looked up in this table; undefined when they can. */
  readonly fault: string | undefined
  private readonly file: number
  private readonly blocks: readonly BlockPlace[]

  /** Opens the file, which stays readable when it is removed. Throws what `openSync` throws. */
  constructor(path: string) {
    this.path = path
    this.file = openSync(path, 'r')
    try {
      this.blocks = readIndex(this.file)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.fault = error.message
      this.blocks = []
    }
  }

  /**
   * The value of a key, unproved; undefined when it is not there. Throws CORRUPTION when the block that should have it
   * makes no sense.
   */
  find(key: Uint8Array): Buffer | undefined {
    const { blocks } = this
    let low = 0
    let high = blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (Buffer.compare(blocks[middle].finalKey, key) < 0) low = middle + 1
      else high = middle
    }
    if (low === blocks.length) return undefined
    const block = readAt(this.file, blocks[low].offset, blocks[low].size)
    for (const entry of blockEntries(block)) {
      if (Buffer.compare(userKey(entry.key), key) !== 0) continue
      return Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.byteLength)
    }
    return undefined
  }

  /** All of the file. */
  readWhole(): Buffer {
    return readAt(this.file, 0, fstatSync(this.file).size)
  }

  /** Bytes at a place of the file; fewer when it ends before. */
  read(at: number, bytes: number): Buffer {
    return readAt(this.file, at, bytes)
  }

  close(): void {
    closeSync(this.file)
  }
}

function readIndex(file: number): BlockPlace[] {
  const { size } = fstatSync(file)
  const { index } = readFooter(readAt(file, Math.max(0, size - FOOTER), FOOTER))
  if (index.offset + index.size + TRAILER > size) {
    throw new StorageError('CORRUPTION', 'the index lies beyond its end')
  }
  const block = readAt(file, index.offset, index.size + TRAILER)
  checkBlock(block, { offset: 0, size: index.size })
  const blocks: BlockPlace[] = []
  for (const { key, value } of blockEntries(block.subarray(0, index.size))) {
    blocks.push({ finalKey: userKey(key), ...readHandle(new ByteReader(value)) })
  }
  return blocks
}

function userKey(key: Uint8Array): Uint8Array {
  return key.subarray(0, Math.max(0, key.length - OWN_KEY_BYTES))
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let end = 0
  while (end < length) {
    const count = readSync(file, bytes, end, length - end, at + end)
    if (count === 0) return bytes.subarray(0, end)
    end += count
  }
  return bytes
}
