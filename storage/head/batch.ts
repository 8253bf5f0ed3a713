/** The columns that an appender gathers a batch in. */
import type { FloatHistogram } from '../model/histogram.ts'
import type { SampleBatch } from '../wal/samples.ts'

export interface GatheredBatch extends SampleBatch {
  /** Of each sample. */
  refs: Float64Array
  histograms: FloatHistogram[]
  /** The array behind `st`, kept for the next batch that has any. */
  starts: Float64Array
}

const NO_STARTS = new Float64Array(0)

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
    st: NO_STARTS,
    histograms: [],
    starts: NO_STARTS,
  }
}

/** Makes room for start timestamps, where the batch has none so far; those of its samples are 0. */
export function beginStarts(batch: GatheredBatch): void {
  if (batch.st.length > 0) return
  if (batch.starts.length < batch.refs.length) batch.starts = new Float64Array(batch.refs.length)
  else batch.starts.fill(0)
  batch.st = batch.starts
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
    batch.st = NO_STARTS
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
  const { length, histograms, st } = batch
  Object.assign(batch, { ...grown, length, histograms })
  if (st.length === 0) return
  beginStarts(batch)
  batch.st.set(st)
}
