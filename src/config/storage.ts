/** The `storage` section: how late samples may come, and how long they are kept. */
import type { Node } from 'yaml'
import { quoteGo } from '../telemetry/quote.ts'
import { Section } from './document.ts'
import { parseDuration } from './duration.ts'
import { homeOf, RETENTION_KEYS, STORAGE_KEYS, TSDB_KEYS } from './keys.ts'
import type { StorageConfig, WrittenRetention } from './model.ts'
import { DURATION_EXPECTED, type Reading, SIZE_EXPECTED } from './reading.ts'
import { parseSize } from './size.ts'

const PERCENTAGE_EXPECTED = 'a number from 0 to 100'
const CHUNK_ENCODINGS = ['xor', 'xor2']

export function readStorage(reading: Reading, node: Node | undefined): StorageConfig {
  const storage: StorageConfig = { outOfOrderWindowMs: 0, retention: {} }
  const { document } = reading
  const section = Section.open(document, node, 'storage', STORAGE_KEYS, homeOf)
  if (section === undefined) return storage
  const exemplars = section.value('exemplars')
  if (!reading.saysNothing(exemplars)) reading.refuse(exemplars!, 'storage.exemplars')
  const tsdb = Section.open(document, section.value('tsdb'), 'storage.tsdb', TSDB_KEYS, homeOf)
  if (tsdb === undefined) return storage
  storage.outOfOrderWindowMs =
    tsdb.parsed('out_of_order_time_window', parseDuration, DURATION_EXPECTED) ?? storage.outOfOrderWindowMs
  storage.retention = readRetention(reading, tsdb.value('retention'))
  checkChunkEncoding(reading, tsdb.value('chunk_encoding'))
  // Series that ended leave the memory here with their generation; to hurry that up is not built.
  const threshold = tsdb.float('stale_series_compaction_threshold') ?? 0
  if (threshold !== 0) {
    reading.refuse(
      tsdb.value('stale_series_compaction_threshold')!,
      'storage.tsdb.stale_series_compaction_threshold',
    )
  }
  return storage
}

function readRetention(reading: Reading, node: Node | undefined): WrittenRetention {
  const section = Section.open(reading.document, node, 'storage.tsdb.retention', RETENTION_KEYS, homeOf)
  if (section === undefined) return {}
  const retention: WrittenRetention = {}
  const timeMs = section.parsed('time', parseDuration, DURATION_EXPECTED)
  if (timeMs !== undefined) retention.timeMs = timeMs
  const sizeBytes = section.parsed('size', parseRetentionSize, SIZE_EXPECTED)
  if (sizeBytes !== undefined) retention.sizeBytes = sizeBytes
  const percentage = section.float('percentage')
  if (percentage !== undefined) {
    if (percentage >= 0 && percentage <= 100) retention.percentage = percentage
    else section.report('percentage', `percentage ${percentage} is out of range`, PERCENTAGE_EXPECTED)
  }
  return retention
}

function parseRetentionSize(text: string): number {
  const bytes = parseSize(text)
  if (bytes < 0) throw new Error(`negative size ${text}`)
  return bytes
}

/** Chunks here have encodings of their own, chosen by what is in them: a legal choice is read and changes nothing. */
function checkChunkEncoding(reading: Reading, node: Node | undefined): void {
  const section = Section.open(reading.document, node, 'storage.tsdb.chunk_encoding', ['floats'])
  section?.choice('floats', CHUNK_ENCODINGS, (text) => `unknown chunk encoding ${quoteGo(text)}`)
}
