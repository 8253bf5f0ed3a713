/** The columns that an appender gathers a batch in. */
import type { FloatHistogram } from '../model/histogram.ts'
import type { SampleBatch } from '../wal/samples.ts'

export interface GatheredBatch extends SampleBatch {
  /** Of each sample. */
  refs: Float64Array
  histograms: FloatHistogram[]
}

export function emptyBatch(capacity: number): GatheredBatch {
  return {
    length: 0,
    refs: new Float64Array(capacity),
    index: new Uint32Array(capacity),
    t: new Float64Array(capacity),
    v: new Float64Array(capacity),
    kind: new Uint8Array(capacity),
    lastV: new Float64Array(capacity),
    isKey: new Uint8Array(capacity),
    histograms: [],
  }
}

/** Batches used again: fresh columns for each scrape are garbage that V8 collects often for. */
export class BatchPool {
  private readonly free: GatheredBatch[] = []

  take(): GatheredBatch {
    return this.free.pop() ?? emptyBatch(CAPACITY_MIN)
  }

  /** Requires: nobody reads it any more. */
  give(batch: GatheredBatch): void {
    if (this.free.length === POOL_MAX || batch.index.length > CAPACITY_MAX) return
    batch.length = 0
    batch.histograms.length = 0
    this.free.push(batch)
  }
}

const CAPACITY_MIN = 64
/** Larger batches are rare. */
const CAPACITY_MAX = 65_536
const POOL_MAX = 16

/** Makes room for `capacity` samples in all; what is there stays. */
export function growBatch(batch: GatheredBatch, capacity: number): void {
  const grown = emptyBatch(capacity)
  for (const column of ['refs', 'index', 't', 'v', 'kind', 'lastV', 'isKey'] as const)
    grown[column].set(batch[column])
  Object.assign(batch, { ...grown, length: batch.length, histograms: batch.histograms })
}
