/**
 * From a batch of samples to the series' rows: the second check, the stamp of time and commit, the staged sample, and what
 * the log has to know of the value before.
 */
import { APPENDED, type AppendOutcome } from '../errors.ts'
import type { CommitCounts } from '../interface.ts'
import { type HistogramKind, isHistogramKind, KIND_FLOAT, type Kind } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { SampleBatch } from '../wal/samples.ts'
import type { GenerationWriter } from './generation.ts'
import {
  type AppendBounds,
  checkAppend,
  copyNewestValue,
  followsNewest,
  forceKey,
  hasList,
  isKeyDue,
  newestTime,
  noteStart,
  stage,
  stageFloat,
  stageLate,
} from './series-row.ts'
import { encodeHistogram, storeHistogram } from './staged-histogram.ts'

/** In `batch.index`: there is no such series. */
export const INDEX_NONE = 0xffffffff

export class Staging {
  /** What was taken since the start: all samples, the histograms among them, and the late ones. */
  samples = 0
  histograms = 0
  late = 0
  private readonly slab: Slab

  constructor(slab: Slab) {
    this.slab = slab
  }

  /**
   * Puts samples with their `index` into rows of `current`, and moves what was taken to the front of the batch. Samples that
   * have no place there are left out. Requires: the rows are begun, and there is memory for all.
   */
  stage(batch: SampleBatch, current: GenerationWriter, bounds: AppendBounds, commit: number): CommitCounts {
    const { slab } = this
    const { index, t, v, kind, lastV, isKey, st } = batch
    const hasStarts = st.length > 0
    const { minValidT } = bounds
    const count = batch.length
    let stamp = 0
    // Of `stamp`.
    let stampedT = Number.NaN
    let outOfOrder = 0
    batch.length = 0
    // One after the other, since a later sample of the batch is checked against an earlier one.
    for (let i = 0; i < count; i++) {
      if (index[i] === INDEX_NONE) {
        outOfOrder++
        continue
      }
      const at = current.rowAt(index[i])
      if (kind[i] !== KIND_FLOAT || !(t[i] >= minValidT) || !followsNewest(current, at, t[i])) {
        if (this.stageOne(batch, i, at, current, bounds, commit) < 0) outOfOrder++
        continue
      }
      // By far the most samples.
      const taken = batch.length
      copyNewestValue(slab, at, lastV, taken)
      const isNewTime = t[i] !== stampedT
      if (isNewTime) {
        stamp = current.stampOf(t[i], commit)
        stampedT = t[i]
      }
      if (hasStarts || hasList(slab, at)) noteStart(current, at, stamp, hasStarts ? st[i] : 0)
      stageFloat(current, at, stamp, v, i)
      isKey[taken] = isKeyDue(slab, at) ? 1 : 0
      if (isNewTime) current.noteTime(t[i])
      current.countSample()
      index[taken] = index[i]
      t[taken] = t[i]
      v[taken] = v[i]
      kind[taken] = KIND_FLOAT
      if (hasStarts) st[taken] = st[i]
      batch.length = taken + 1
    }
    this.samples += batch.length
    return { appended: batch.length, outOfOrder }
  }

  /** Stages sample `i` of a batch, whatever it is, and adds it to the batch's front if it was taken. */
  private stageOne(
    batch: SampleBatch,
    i: number,
    at: number,
    current: GenerationWriter,
    bounds: AppendBounds,
    commit: number,
  ): AppendOutcome {
    const { slab } = this
    const { index, t, v, kind, lastV, isKey, st, length: taken } = batch
    const ofKind = kind[i] as Kind
    const encoded = isHistogramKind(ofKind)
      ? encodeHistogram(batch.histograms[v[i]], ofKind as HistogramKind)
      : undefined
    const outcome = checkAppend(current, at, t[i], v[i], ofKind, bounds, encoded)
    if (outcome !== APPENDED) return outcome
    const isLate = t[i] < newestTime(current, at)
    const isPlain = !isLate && ofKind === KIND_FLOAT
    copyNewestValue(slab, at, lastV, taken)
    const stamp = current.stampOf(t[i], commit)
    const stored = encoded === undefined ? v[i] : storeHistogram(current, encoded)
    const start = st.length > 0 ? st[i] : 0
    if (isLate) stageLate(current, at, stamp, stored, ofKind, start)
    else {
      noteStart(current, at, stamp, start)
      stage(current, at, stamp, stored, ofKind)
    }
    isKey[taken] = isPlain && !isKeyDue(slab, at) ? 0 : 1
    if (!isPlain) forceKey(slab, at)
    current.noteTime(t[i])
    current.countSample()
    if (isLate) this.late++
    if (encoded !== undefined) this.histograms++
    index[taken] = index[i]
    t[taken] = t[i]
    v[taken] = v[i]
    kind[taken] = ofKind
    if (st.length > 0) st[taken] = start
    batch.length = taken + 1
    return outcome
  }
}
