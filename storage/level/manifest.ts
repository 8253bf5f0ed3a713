/**
 * LevelDB's list of tables, `MANIFEST-*`: a log file (log-file.ts) of changes to it. A change is a row of fields, each a
 * varint for its tag and then
 *
 *   1 name of the order: text      2 oldest log: varint     3 next file: varint     4 newest sequence: varint
 *   5 place of compaction: varint level, text               6 table gone: varint level, varint number
 *   7 new table: varint level, varint number, varint bytes, text first key, text last key
 *   9 log before: varint                                    a text: varint length, bytes
 *
 * Read here to know which files count: a process that is killed leaves tables that are not finished yet.
 */
import { ByteReader } from '../codec/byte-reader.ts'
import { StorageError } from '../errors.ts'
import { logRecords } from './log-file.ts'

export interface LiveFiles {
  /** Number of each table, and its size in bytes. */
  tables: Map<number, number>
  /** Logs with this number and above are in use. */
  logNumber: number
}

/** Requires: `findLogDamage` finds nothing. Throws CORRUPTION. */
export function readManifest(bytes: Uint8Array): LiveFiles {
  const live: LiveFiles = { tables: new Map(), logNumber: 0 }
  for (const record of logRecords(bytes)) {
    const reader = new ByteReader(record)
    while (!reader.isAtEnd) readField(reader, live)
  }
  return live
}

function readField(reader: ByteReader, live: LiveFiles): void {
  const tag = reader.varint()
  if (tag === 1) {
    skipText(reader)
  } else if (tag === 2) {
    live.logNumber = reader.varint()
  } else if (tag === 3 || tag === 4 || tag === 9) {
    reader.varint()
  } else if (tag === 5) {
    reader.varint()
    skipText(reader)
  } else if (tag === 6) {
    reader.varint()
    live.tables.delete(reader.varint())
  } else if (tag === 7) {
    reader.varint()
    const number = reader.varint()
    live.tables.set(number, reader.varint())
    skipText(reader)
    skipText(reader)
  } else {
    throw new StorageError('CORRUPTION', `it has a field of unknown tag ${tag}`)
  }
}

function skipText(reader: ByteReader): void {
  reader.skip(reader.varint())
}
