/** The columns that an appender gathers a batch in. */
import type { FloatHistogram } from '../model/histogram.ts'
import type { SampleBatch } from '../wal/samples.ts'

export interface GatheredBatch extends SampleBatch {
  histograms: FloatHistogram[]
}

export function emptyBatch(capacity: number): GatheredBatch {
  return {
    length: 0,
    index: new Uint32Array(capacity),
    t: new Float64Array(capacity),
    v: new Float64Array(capacity),
    kind: new Uint8Array(capacity),
    lastV: new Float64Array(capacity),
    isKey: new Uint8Array(capacity),
    histograms: [],
  }
}

/** Makes room for `capacity` samples in all; what is there stays. */
export function growBatch(batch: GatheredBatch, capacity: number): void {
  const grown = emptyBatch(capacity)
  for (const column of ['index', 't', 'v', 'kind', 'lastV', 'isKey'] as const)
    grown[column].set(batch[column])
  Object.assign(batch, { ...grown, length: batch.length, histograms: batch.histograms })
}
