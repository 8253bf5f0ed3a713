/**
 * Builds generations again from their pages in the write-ahead log. Runs in the upkeep thread, or in the caller's.
 *
 * Every start opens a generation, however little is written into it. So a small one takes in the next one here, where
 * the times of all series go on: else a server that starts again and again would fill its head with empty tables.
 *
 * A page that is damaged or missing costs its own content: series are told by their index in the log, and samples
 * of a series that no page named are counted as lost. Everything else goes on.
 */
import type { DamageNote } from '../damage.ts'
import { APPENDED } from '../errors.ts'
import type { Kind } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { Store } from '../store.ts'
import {
  GenerationReader,
  type LogDamage,
  type PageVisitor,
  readPageCount,
} from '../wal/generation-reader.ts'
import { generationsRange } from '../wal/record.ts'
import type { LoggedSamples } from '../wal/samples.ts'
import { GENERATIONS_MAX } from './directory.ts'
import { GenerationWriter } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import { checkAppend, LAST_T, stage } from './series-row.ts'

/** Commit number of replayed samples: all views see them. */
const COMMIT_REPLAYED = 0

/** Generations that are kept at most: the rest of the directory is for what arrives. */
const KEPT_MAX = GENERATIONS_MAX / 2

export interface ReplayLimits {
  /** Bytes of what is kept; beyond it the oldest goes, as in the head. */
  headBytesMax: number
  /** A generation with fewer bytes takes in the next one of the log. */
  joinBytesMin: number
}

export interface ReplayResult {
  /**
   * Addresses of the roots, oldest first. A generation has the number of the first one of the log that went into
   * it; none is lost between them, those before the first one did not fit.
   */
  roots: number[]
  /** What could not be read, a note a page or gap. */
  damage: DamageNote[]
}

/** `onDone` is called after each generation of the log. Throws NEWER_FORMAT, NO_MEMORY. */
export async function replayGenerations(
  store: Store,
  slab: Slab,
  numbers: readonly number[],
  limits: ReplayLimits,
  onDone: (done: number) => void,
): Promise<ReplayResult> {
  const kept: GenerationWriter[] = []
  const damage: DamageNote[] = []
  let builder: GenerationBuilder | undefined
  for (const [i, number] of numbers.entries()) {
    const isSmall = builder !== undefined && slab.ownedBytes(builder.writer.owner) < limits.joinBytesMin
    if (builder === undefined || !isSmall || !(await canJoin(store, number, builder.writer))) {
      builder = new GenerationBuilder(slab, number)
      kept.push(builder.writer)
    }
    builder.begin()
    damage.push(...(await readGeneration(store, number, builder)).map(damageNote))
    if (builder.samplesLost > 0) {
      damage.push({ place: 'wal', what: `${builder.samplesLost} samples lost their series to damage` })
    }
    // No query knows of them yet, so their memory can go at once.
    while (
      kept.length > KEPT_MAX ||
      (kept.length > 1 && slab.ownedBytes(kept[0].owner, number) > limits.headBytesMax)
    ) {
      slab.free(kept.shift()!.owner)
    }
    onDone(i + 1)
  }
  return { roots: kept.map(({ rootAt }) => rootAt), damage }
}

/** Shows all pages of a generation of the log to the visitor. Returns what was missing or damaged. */
async function readGeneration(store: Store, number: number, visitor: PageVisitor): Promise<LogDamage[]> {
  const reader = new GenerationReader(number, visitor)
  for await (const pages of store.scan(generationsRange(number, number + 1))) {
    for (const page of pages) reader.read(page)
  }
  reader.end(await readPageCount(store, number))
  return reader.damage
}

function damageNote({ what, kept, mint, maxt, samplesLost }: LogDamage): DamageNote {
  const isFollowed = samplesLost > 0
  return {
    place: 'wal',
    what: isFollowed ? `${what}; ${samplesLost} samples behind it are lost with it` : what,
    ...(kept !== undefined && { quarantine: kept }),
    ...(Number.isFinite(mint) && { mint }),
    ...(Number.isFinite(maxt) && { maxt }),
  }
}

/**
 * Whether no series of a generation of the log goes back behind its newest sample in `writer`. It may, when samples
 * came while that newest sample was itself still being replayed.
 */
async function canJoin(store: Store, number: number, writer: GenerationWriter): Promise<boolean> {
  const labels = new LabelBytes()
  const newest: number[] = []
  let isAfter = true
  await readGeneration(store, number, {
    series: (index, bytes, start, end) => {
      labels.setBytes(bytes, start, end)
      const found = writer.findSeries(labels)
      newest[index] = found < 0 ? Number.NEGATIVE_INFINITY : writer.slab.f64[writer.rowAt(found) + LAST_T]
    },
    samples: ({ length, index, t }) => {
      for (let i = 0; i < length; i++) if (t[i] < newest[index[i]]) isAfter = false
    },
  })
  return isAfter
}

class GenerationBuilder implements PageVisitor {
  readonly writer: GenerationWriter
  /** Of the generation of the log that is read now. */
  samplesLost = 0
  /** Index in the log → index here + 1. */
  private indexes: number[] = []
  private readonly labels = new LabelBytes()

  constructor(slab: Slab, number: number) {
    this.writer = GenerationWriter.create(slab, number)
  }

  /** What comes is of the next generation of the log. */
  begin(): void {
    this.samplesLost = 0
    this.indexes = []
  }

  series(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.labels.setBytes(bytes, start, end)
    const found = this.writer.findSeries(this.labels)
    this.indexes[index] = (found >= 0 ? found : this.writer.addSeries(this.labels)) + 1
  }

  samples({ length, index, t, v, kind }: LoggedSamples): void {
    for (let i = 0; i < length; i++) this.sample(index[i], t[i], v[i], kind[i])
  }

  private sample(index: number, t: number, v: number, kind: number): void {
    const target = this.indexes[index]
    if (target === undefined) {
      this.samplesLost++
      return
    }
    const { writer } = this
    const rowAt = writer.rowAt(target - 1)
    // Samples were checked before they were logged; one that came again with a time it had is told by this check.
    const outcome = checkAppend(writer.slab, rowAt, t, v, kind as Kind, Number.NEGATIVE_INFINITY)
    if (outcome !== APPENDED) return
    const isChunkMade = stage(writer.slab, rowAt, t, v, kind as Kind, COMMIT_REPLAYED, writer.arena)
    writer.noteSample(t, isChunkMade)
  }
}
