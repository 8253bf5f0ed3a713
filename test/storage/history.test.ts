// Goal: whatever happens in whatever order, and however it ends, the store answers with what it took. Method: random
// histories of everything that can be done to a store, and an oracle that is fed with the samples the store said it
// took. A crash is a copy of the folder taken at any moment, upkeep or not, while all threads stand still. Until the
// first reopening the outcomes of appends must be those of memory-storage, too: later the newest sample of a series may
// lie in a block alone, where appends are not checked against it.
//
// OPERATIONS and SEEDS make it longer, SEED repeats one: where a crash falls within upkeep is up to the machine, though.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { blockSpanMax } from '../../storage/block/plan.ts'
import { Database } from '../../storage/db.ts'
import { APPENDED, type AppendOutcome } from '../../storage/errors.ts'
import type { Querier, Storage } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import {
  type HistogramKind,
  isHistogramKind,
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
  type Kind,
  type PlainKind,
} from '../../storage/model/sample.ts'
import { labelsOf } from '../conformance/storage.suite.ts'
import { Arrivals, type Contents, contentsOf, differences, sampleText } from '../harness/arrivals.ts'
import { crashCopy } from '../harness/crash-copy.ts'
import { memoryFolder } from '../harness/memory-folder.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'

const OPERATIONS = Number(process.env.OPERATIONS ?? 400)
const SEEDS = Number(process.env.SEEDS ?? 5)
const HOUR_MS = 3_600_000
/** How late samples may be; neighbouring seeds have all of them. */
const WINDOWS_MS = [0, 600_000, 2 * HOUR_MS, 30 * HOUR_MS, 900 * HOUR_MS]
const KEEP_ALL = { timeMs: 0, sizeBytes: 0, percentage: 0 }

interface Row {
  series: string
  t: number
  v: number
  kind: Kind
  histogram?: FloatHistogram
  /** Start timestamp. */
  st: number
}

const SELECTIONS: Matcher[][] = [
  [],
  [new Matcher('__name__', '=', 'm1')],
  [new Matcher('__name__', '=~', 'm[02]'), new Matcher('b', '!=', '')],
  [new Matcher('b', '=', ''), new Matcher('a', '!~', '[135]')],
  [new Matcher('a', '=~', '1|3|none'), new Matcher('b', '=~', '0|')],
]

function randomHistogram(random: Prng): FloatHistogram {
  const count = random.int(3, 40)
  if (random.chance(0.3)) {
    return {
      ...EMPTY_HISTOGRAM,
      schema: CUSTOM_SCHEMA,
      count,
      sum: count / 8,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: [1, 2, count - 3],
      customValues: [0.5, 2],
    }
  }
  return {
    ...EMPTY_HISTOGRAM,
    schema: random.int(0, 3),
    zeroThreshold: 0.001,
    zeroCount: 1,
    count,
    sum: random.pick([1.5, -7, Number.NaN]),
    positiveSpans: [{ offset: random.int(-2, 2), length: 2 }],
    positiveBuckets: [count - 3, 2],
  }
}

class History {
  private readonly random: Prng
  private readonly where: string
  private readonly windowMs: number
  private readonly folders: string[] = []
  private readonly arrivals = new Arrivals()
  /** Until the first reopening. */
  private memory: MemoryStorage | undefined
  private path = ''
  private db!: Database
  private now = 10_000_000
  private step = 0
  /** A view that is kept over several steps, and what it answered at first. */
  private held: { querier: Querier; matchers: Matcher[]; contents: Contents } | undefined
  readonly counts: Record<string, number> = {}

  constructor(seed: number) {
    this.random = prng(seed)
    this.where = `SEED=${seed}`
    this.windowMs = WINDOWS_MS[seed % WINDOWS_MS.length]
    this.memory = new MemoryStorage({ outOfOrderWindowMs: this.windowMs })
  }

  async run(operations: number): Promise<void> {
    try {
      this.path = await this.newFolder()
      await this.open()
      for (this.step = 0; this.step < operations; this.step++) await this.next()
      await this.compareAll()
      await this.close()
    } finally {
      for (const folder of this.folders) await rm(folder, { recursive: true, force: true })
    }
  }

  private get about(): string {
    return `${this.where} step=${this.step}`
  }

  private async next(): Promise<void> {
    const { random } = this
    this.now += random.pick([0, 1, 15_000, 15_000, 15_000, 600_000])
    const [what, operation] = this.choose(random.next())
    this.counts[what] = (this.counts[what] ?? 0) + 1
    await operation()
  }

  private choose(choice: number): [what: string, operation: () => Promise<void> | void] {
    if (choice < 0.78) return ['append', () => this.append()]
    if (choice < 0.82) return ['cut', () => this.cut()]
    if (choice < 0.86) return ['view', () => this.holdView()]
    if (choice < 0.93) return ['select', () => this.compareSome()]
    if (choice < 0.95) return ['settle', () => this.settle()]
    if (choice < 0.965) return ['delete', () => this.delete()]
    if (choice < 0.97) return ['clean', () => this.db.cleanTombstones()]
    if (choice < 0.975) return ['retention', () => this.retain()]
    if (choice < 0.98) return ['snapshot', () => this.snapshot()]
    if (choice < 0.987) return ['reopen', () => this.reopen()]
    if (choice < 0.993) return ['crash', () => this.crash(() => Promise.resolve())]
    if (choice < 0.998) return ['crash in upkeep', () => this.crash(() => this.anyUpkeep())]
    return ['crash in delete', () => this.crashInDelete()]
  }

  private async newFolder(): Promise<string> {
    const folder = await mkdtemp(join(memoryFolder(), 'narthex-history-'))
    this.folders.push(folder)
    return folder
  }

  private async open(): Promise<void> {
    this.db = await Database.open({
      path: this.path,
      turnMs: 0,
      // Threads take most of the time; each life of the store has them or not.
      isThreaded: this.random.chance(0.07),
      limits: { headBytesMax: 64 * 2 ** 20, outOfOrderWindowMs: this.windowMs },
      onTrouble: (error) => expect.unreachable(`${this.about}: ${error.stack}`),
      onDamage: (note) => expect.unreachable(`${this.about}: ${JSON.stringify(note)}`),
    })
    await this.db.ready()
  }

  private async close(): Promise<void> {
    await this.releaseView()
    await this.db.close()
    this.memory = undefined
  }

  private batch(): Row[] {
    const { random, now } = this
    const rows = Array.from({ length: random.int(1, 12) }, (): Row => {
      const series = `m${random.int(0, 2)} a=${random.int(0, 5)}${random.chance(0.5) ? ` b=${random.int(0, 3)}` : ''}`
      // Mostly now; sometimes late, too late, or the same again.
      const late = random.pick([
        1,
        1000,
        60_000,
        3_599_999,
        3_600_001,
        4_000_000,
        20 * HOUR_MS,
        800 * HOUR_MS,
      ])
      const t = random.chance(0.85) ? now : now - late
      // A counter was begun some time ago; some series say since when, others have just floats.
      const st = series.startsWith('m1') && random.chance(0.8) ? now - (now % 1_800_000) + series.length : 0
      if (random.chance(0.05)) {
        const kind = random.chance(0.5) ? KIND_HISTOGRAM : KIND_FLOAT_HISTOGRAM
        return { series, t, v: 0, kind, histogram: randomHistogram(random), st }
      }
      const v = random.pick([0, -0, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, random.int(0, 3)])
      return { series, t, v, kind: random.chance(0.1) ? KIND_STALE : KIND_FLOAT, st }
    })
    // Of two samples of one series in a batch commit alone decides: that is the conformance suite's.
    return rows.filter(({ series }, i) => rows.findIndex((row) => row.series === series) === i)
  }

  private async append(): Promise<void> {
    const rows = this.batch()
    const isRolledBack = this.random.chance(0.1)
    const got = await write(this.db, rows, isRolledBack)
    if (this.memory !== undefined) {
      expect(got, this.about).toEqual(await write(this.memory, rows, isRolledBack))
    }
    if (isRolledBack) return
    let taken = 0
    for (const [i, { series, t, v, kind, histogram, st }] of rows.entries()) {
      if (got.outcomes[i] !== APPENDED) continue
      this.arrivals.add(labelsOf(series), t, sampleText(kind, v, histogram, st))
      taken++
    }
    expect(got.counts, this.about).toEqual({ appended: taken, outOfOrder: 0 })
  }

  private cut(): void {
    this.db.cut()
    this.db.maintain()
  }

  private async settle(): Promise<void> {
    if (this.random.chance(0.5)) this.db.cut()
    if (this.random.chance(0.5)) await this.db.settle()
    else await this.upkeep()
    this.checkSpans()
    if (this.random.chance(0.3)) await this.compareSome()
  }

  /** However late samples came: no block is longer than the window that it was written or merged for. */
  private checkSpans(): void {
    for (const { level, mint, maxt } of this.db.blocks) {
      // A generation with more windows than it may have parts takes longer ones.
      const spanMax = level === 0 ? 24 * HOUR_MS : blockSpanMax(0)
      expect(maxt - mint, this.about).toBeLessThanOrEqual(spanMax)
    }
  }

  /** Writing out and merging, with appends and queries between. */
  private async upkeep(): Promise<void> {
    this.db.cut()
    let isDone = false
    const settling = this.db.settle().finally(() => {
      isDone = true
    })
    for (let i = this.random.int(0, 20); i > 0 && !isDone; i--) {
      await this.append()
      if (this.random.chance(0.2)) await this.compareSome()
    }
    await settling
  }

  private async anyUpkeep(): Promise<void> {
    const choice = this.random.next()
    if (choice < 0.7) await this.upkeep()
    else if (choice < 0.85) await this.db.cleanTombstones()
    else await this.db.snapshot(`crash${this.step}`, true)
  }

  private randomDelete(): [matchers: Matcher[], mint: number, maxt: number] {
    const { random, now } = this
    const matchers = random.pick(SELECTIONS)
    const length = random.pick([0, 60_000, HOUR_MS, 20 * HOUR_MS])
    const mint = random.chance(0.1) ? Number.NEGATIVE_INFINITY : now - random.int(-1000, length * 2)
    const maxt = random.chance(0.1) ? Number.POSITIVE_INFINITY : mint + length
    // −∞ + length is an empty range unless it has no end, either.
    const end = Number.isFinite(maxt) || maxt > 0 ? maxt : now - length
    return [matchers, mint, end]
  }

  private async delete(): Promise<void> {
    const deletion = this.randomDelete()
    await this.db.deleteSeries(...deletion)
    this.memory?.deleteSeries(...deletion)
    this.arrivals.delete(...deletion)
    await this.compareSome()
  }

  /** The store decides which blocks go; it must be old samples alone, and none that it had not. */
  private async retain(): Promise<void> {
    await this.releaseView()
    const timeMs = this.random.int(12, 60) * HOUR_MS
    this.db.setRetention({ ...KEEP_ALL, timeMs })
    await this.db.settle()
    this.db.setRetention(KEEP_ALL)
    while ((await readdir(join(this.path, 'narthex', 'blocks'))).length > this.db.stats().blocks)
      await sleep(1)
    const foreign = this.arrivals.adopt(await contentsOf(this.db, []), this.now - timeMs)
    expect(foreign, this.about).toEqual([])
    await this.compareAll()
  }

  private async snapshot(): Promise<void> {
    const withHead = this.random.chance(0.7)
    const folder = await this.db.snapshot(`s${this.step}`, withHead)
    const copy = await Database.open({ path: folder, turnMs: 0, limits: { headBytesMax: 64 * 2 ** 20 } })
    await copy.ready()
    const [want, got] = [this.arrivals.contents([]), await contentsOf(copy, [])]
    if (withHead) expect(differences(want, got), this.about).toEqual([])
    else expect(await this.shownElsewhere(got), this.about).toEqual([])
    await copy.close()
    await rm(folder, { recursive: true })
  }

  /** Samples of a snapshot without the head that the store does not show: none, but of times with several arrivals. */
  private async shownElsewhere(got: Contents): Promise<string[]> {
    const want = this.arrivals.contents([])
    const foreign: string[] = []
    for (const [key, samples] of got) {
      for (const t of samples.keys())
        if (!want.get(key)?.has(t)) foreign.push(`${JSON.stringify(key)} at ${t}`)
    }
    return foreign
  }

  private async reopen(): Promise<void> {
    await this.close()
    await this.open()
    await this.compareAll()
  }

  /** `work` runs while the moment of the crash comes. */
  private async crash(work: () => Promise<void>): Promise<void> {
    const working = work()
    if (this.random.chance(0.7)) await sleep(this.random.int(0, 60))
    // What was taken by now is to be there; what is taken while the copy is on its way may be.
    const before = this.arrivals.contents([])
    await this.goOnWithCopy(working)
    const got = await contentsOf(this.db, [])
    expect(missing(before, got), this.about).toEqual([])
    // What came meanwhile and is there counts from now on.
    expect(this.arrivals.adopt(got, Number.POSITIVE_INFINITY), this.about).toEqual([])
    await this.compareAll()
  }

  /** A delete that nobody was answered for has happened, or has not. */
  private async crashInDelete(): Promise<void> {
    const deletion = this.randomDelete()
    const before = this.arrivals.contents([])
    await this.goOnWithCopy(this.db.deleteSeries(...deletion))
    const got = await contentsOf(this.db, [])
    if (differences(before, got).length > 0) this.arrivals.delete(...deletion)
    await this.compareAll()
  }

  /** Goes on with what a crash of about now leaves, while something is at work. */
  private async goOnWithCopy(working: Promise<unknown>): Promise<void> {
    const copy = join(await this.newFolder(), 'data')
    await crashCopy(this.path, copy)
    await working
    await this.close()
    this.path = copy
    await this.open()
    for (const folder of this.folders.splice(0, this.folders.length - 1))
      await rm(folder, { recursive: true })
  }

  private async holdView(): Promise<void> {
    if (this.held !== undefined) {
      await this.releaseView()
      return
    }
    const matchers = this.random.pick(SELECTIONS)
    const querier = this.db.querier(this.now - 20 * HOUR_MS, this.now)
    const keeping = { querier: () => ({ ...bound(querier), close: () => {} }) }
    this.held = { querier, matchers, contents: await contentsOf(keeping, matchers) }
  }

  private async releaseView(): Promise<void> {
    if (this.held === undefined) return
    const { querier, matchers, contents } = this.held
    this.held = undefined
    expect(differences(contents, await contentsOf({ querier: () => querier }, matchers)), this.about).toEqual(
      [],
    )
  }

  private async compareSome(): Promise<void> {
    const { random, arrivals, db } = this
    const matchers = random.pick(SELECTIONS)
    const mint = this.now - random.int(0, random.pick([HOUR_MS, 5 * HOUR_MS, 40 * HOUR_MS]))
    const maxt = mint + random.int(0, 5 * HOUR_MS)
    const want = arrivals.contents(matchers, mint, maxt)
    expect(differences(want, await contentsOf(db, matchers, mint, maxt)), this.about).toEqual([])
  }

  private async compareAll(): Promise<void> {
    const { arrivals, db } = this
    for (const matchers of SELECTIONS) {
      expect(differences(arrivals.contents(matchers), await contentsOf(db, matchers)), this.about).toEqual([])
      const querier = db.querier(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
      expect(await querier.labelNames(matchers), this.about).toEqual(arrivals.labelNames(matchers))
      for (const name of ['__name__', 'a', 'b', 'none']) {
        expect(await querier.labelValues(name, matchers), this.about).toEqual(
          arrivals.labelValues(name, matchers),
        )
      }
      expect(querier.warnings(), this.about).toEqual([])
      querier.close()
    }
  }
}

/** What is not there of what was. */
function missing(before: Contents, got: Contents): string[] {
  const common: Contents = new Map()
  for (const [key, samples] of before) {
    const given = got.get(key) ?? new Map<number, string>()
    common.set(key, new Map([...given].filter(([t]) => samples.has(t))))
  }
  return differences(before, common)
}

function bound(querier: Querier): Querier {
  return {
    select: (matchers, hints) => querier.select(matchers, hints),
    labelNames: (matchers) => querier.labelNames(matchers),
    labelValues: (name, matchers) => querier.labelValues(name, matchers),
    warnings: () => querier.warnings(),
    close: () => querier.close(),
  }
}

async function write(storage: Storage, rows: readonly Row[], isRolledBack: boolean) {
  const appender = storage.appender()
  const outcomes: AppendOutcome[] = rows.map(({ series, t, v, kind, histogram, st }) => {
    const ref = appender.register(labelsOf(series))
    return histogram !== undefined && isHistogramKind(kind)
      ? appender.appendHistogram(ref, t, histogram, kind as HistogramKind, st)
      : appender.append(ref, t, v, kind as PlainKind, st)
  })
  if (isRolledBack) appender.rollback()
  return { outcomes, counts: isRolledBack ? undefined : await appender.commit() }
}

const first = testSeed()

it.each(Array.from({ length: SEEDS }, (_, i) => first + i))(
  'answers with what it took, whatever happens: SEED=%i',
  async (seed) => {
    const history = new History(seed)
    await history.run(OPERATIONS)
    if (process.env.VERBOSE)
      process.stdout.write(`history.test.ts: SEED=${seed} ${JSON.stringify(history.counts)}\n`)
  },
  60_000 + OPERATIONS * 200,
)
