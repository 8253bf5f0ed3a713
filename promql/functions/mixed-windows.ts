/**
 * The windows of a range selector over one series with floats and histograms, for all steps at once.
 *
 * A series of floats only is not looked at this way: windows.ts has its kernels.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { isHistogramKind, KIND_FLOAT, SampleColumns } from '../../storage/model/sample.ts'
import type { Column } from '../value.ts'
import { HistogramPairs } from './histogram-pairs.ts'
import type { RangeNotes } from './range-notes.ts'
import { Windows } from './windows.ts'

export class MixedWindows {
  /** Windows over all samples. Its `v` of a histogram means nothing. */
  readonly all: Windows
  /** Windows over the floats alone. */
  readonly floats: Windows
  readonly notes: RangeNotes
  /** Sample i of `all` where it is a histogram. */
  readonly histograms: (FloatHistogram | undefined)[] = []
  private readonly usesStarts: boolean
  private readonly floatSamples = new SampleColumns()
  private ownPairs: HistogramPairs | undefined

  /** As those of Windows. `usesStarts`: whether start timestamps are looked at. */
  constructor(
    evalMs: Float64Array,
    endMs: Float64Array,
    rangeMs: number,
    spend: (work: number) => void,
    notes: RangeNotes,
    usesStarts: boolean,
  ) {
    this.all = new Windows(evalMs, endMs, rangeMs, spend)
    this.floats = new Windows(evalMs, endMs, rangeMs, spend)
    this.notes = notes
    this.usesStarts = usesStarts
  }

  get count(): number {
    return this.all.count
  }

  /** Looks at these samples from now on; there are no stale markers among them. */
  use(samples: SampleColumns): void {
    const { floatSamples, histograms } = this
    const { t, v, kind, st, length } = samples
    floatSamples.clear()
    histograms.length = length
    for (let i = 0; i < length; i++) {
      histograms[i] = isHistogramKind(kind[i]) ? samples.histograms[v[i]] : undefined
      if (histograms[i] !== undefined) continue
      floatSamples.push(t[i], v[i], KIND_FLOAT)
      if (st.length > 0) floatSamples.setStart(floatSamples.length - 1, st[i])
    }
    this.all.use(samples)
    this.floats.use(floatSamples)
    this.ownPairs = undefined
  }

  /** Whether the floats are to be looked at with their start timestamps. */
  get hasFloatStarts(): boolean {
    return this.usesStarts && this.floats.st.length > 0
  }

  /** What neighbouring histograms say of each other. */
  get pairs(): HistogramPairs {
    const { t, st } = this.all
    this.ownPairs ??= new HistogramPairs(t, this.usesStarts ? st : new Float64Array(0), this.histograms)
    return this.ownPairs
  }

  floatsIn(s: number): number {
    return this.floats.to[s] - this.floats.from[s]
  }

  histogramsIn(s: number): number {
    return this.all.to[s] - this.all.from[s] - this.floatsIn(s)
  }
}

/** As RangeKernel, over a series with floats and histograms. */
export type MixedKernel = (windows: MixedWindows, args: readonly Float64Array[], out: Column) => number
