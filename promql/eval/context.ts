/** What all operators of one run share: settings, series that were read, limits, counts, annotations. */
import type { SeriesSet } from '../../storage/interface.ts'
import type { Annotations } from '../annotations.ts'
import { checkRunning, type EndConditions, tooManySamples } from '../errors.ts'
import type { QueryMemory } from '../memory.ts'
import type { PartCost } from '../plan/explain.ts'
import type { PlanNode } from '../plan/plan.ts'
import { Column } from '../value.ts'
import { QueryCounts } from './sample-counts.ts'

export interface EvalSettings {
  readonly lookbackMs: number
  /** Most samples that may be held at once. */
  readonly samplesMax: number
  /** Names go at the end of the evaluation and not in each operator. */
  readonly delayedNameRemoval: boolean
  /** Whether __type__ tells counters apart, rather than the name's ending. */
  readonly typeAndUnitLabels: boolean
  /** Whether rates see resets by start timestamps, and start_timestamp() has results. */
  readonly startTimestamps: boolean
}

export interface RunLimits extends EndConditions {
  readonly memory: QueryMemory
}

/** Bytes of a place in a column. */
const CELL_BYTES = 9

/** Bytes of a histogram by its weight, which is by 16 bytes of upstream's form: lists of numbers and their headers. */
const WEIGHT_BYTES = 32

/** Places for samples that a query may always have, however few samples it may hold. */
const CELLS_ALWAYS = 10_000_000

/** Units of work (some nanoseconds each) between two looks at the clock. */
const WORK_BETWEEN_POLLS = 1 << 18

export class EvalContext {
  readonly settings: EvalSettings
  readonly annotations: Annotations
  /** The series of each of the plan's selections. */
  readonly series: readonly SeriesSet[]
  /** Where each part's cost is noted; only when it is asked for. */
  readonly costs: Map<PlanNode, PartCost> | undefined
  readonly counts: QueryCounts
  peakSamples = 0
  private heldSamples = 0
  private heldCells = 0
  private readonly cellsMax: number
  private work = 0
  private readonly limits: RunLimits

  constructor(
    settings: EvalSettings,
    annotations: Annotations,
    series: readonly SeriesSet[],
    limits: RunLimits,
    costs?: Map<PlanNode, PartCost>,
  ) {
    this.costs = costs
    this.settings = settings
    this.annotations = annotations
    this.series = series
    this.limits = limits
    this.counts = new QueryCounts(limits.memory)
    this.cellsMax = Math.max(2 * settings.samplesMax, CELLS_ALWAYS)
  }

  /** Counts samples that are held from now on. Throws QueryError when they are too many. */
  hold(samples: number): void {
    this.heldSamples += samples
    if (this.heldSamples > this.peakSamples) this.peakSamples = this.heldSamples
    if (this.heldSamples > this.settings.samplesMax) throw tooManySamples()
  }

  free(samples: number): void {
    this.heldSamples -= samples
  }

  /**
   * A column that is kept; one to work in is made without the context. Its places count whether taken or not, so that
   * many series with few samples each are refused too. Throws QueryError when they are too many.
   */
  newColumn(count: number): Column {
    this.heldCells += count
    if (this.heldCells > this.cellsMax) throw tooManySamples()
    this.limits.memory.take(count * CELL_BYTES)
    return new Column(count)
  }

  /** Takes memory for histograms that weigh so much, and tells how many bytes. Throws QueryError when that is too much. */
  takeHistograms(weight: number): number {
    const bytes = weight * WEIGHT_BYTES
    this.limits.memory.take(bytes)
    return bytes
  }

  giveBytes(bytes: number): void {
    this.limits.memory.give(bytes)
  }

  /** Gives up so many columns that `newColumn` made. */
  freeColumns(columns: number, count: number): void {
    this.heldCells -= columns * count
    this.limits.memory.give(columns * count * CELL_BYTES)
  }

  /** Counts work; from time to time throws QueryError when the query was cancelled or its time is up. */
  spend(work: number): void {
    this.work += work
    if (this.work >= WORK_BETWEEN_POLLS) this.poll()
  }

  poll(): void {
    this.work = 0
    checkRunning(this.limits, 'expression evaluation')
  }
}
