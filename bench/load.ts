/**
 * Puts a data set into our storage in order of time, as scrapes would, and waits until upkeep has nothing left to do.
 * A process of its own: `node load.ts FOLDER DATA-SPEC-AS-JSON`; prints a JSON line of what it did.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Database } from '../storage/db.ts'
import { APPEND_NO_MEMORY, APPEND_UNKNOWN_REF, APPENDED } from '../storage/errors.ts'
import { compareLabels, Labels } from '../storage/model/labels.ts'
import { Matcher } from '../storage/model/matcher.ts'
import { KIND_FLOAT, SampleColumns } from '../storage/model/sample.ts'
import { Child } from './children.ts'
import { type DataSet, type DataSpec, makeDataSet } from './data-set.ts'

const HEAD_BYTES = 2 * 2 ** 30
const RETRY_MS = 50
const CHECKED_SERIES = 200

export interface Loaded {
  seconds: number
  upkeepSeconds: number
}

/** Runs the load of a folder in a process of its own. */
export async function loadInProcess(folder: string, spec: DataSpec): Promise<Loaded> {
  const child = new Child(process.execPath, [import.meta.filename, folder, JSON.stringify(spec)])
  await child.finished()
  return JSON.parse(child.output.trim().split('\n').at(-1)!) as Loaded
}

class Loader {
  private readonly db: Database
  private readonly data: DataSet
  private readonly labels: Labels[]
  private readonly refs: Float64Array
  /** First series of each target, and the count of all. */
  private readonly firsts: number[]
  private readonly outcomes: Int8Array

  constructor(db: Database, data: DataSet) {
    this.db = db
    this.data = data
    this.labels = data.labels.map((pairs) => Labels.from(Object.fromEntries(pairs)))
    this.refs = new Float64Array(this.labels.length)
    this.firsts = [...data.startMs.keys()].map((target) => data.target.indexOf(target))
    this.firsts.push(this.labels.length)
    this.outcomes = new Int8Array(this.labels.length)
  }

  async run(): Promise<void> {
    const { steps, startMs, intervalMs } = this.data
    const order = [...startMs.keys()].sort((a, b) => startMs[a] - startMs[b])
    for (let step = 0; step < steps; step++) {
      const commits = order.map((target) => this.append(target, step, startMs[target] + step * intervalMs))
      await Promise.all(commits)
    }
  }

  /** One scrape of one target. Waits and goes on where the storage has no room. */
  private async append(target: number, step: number, t: number): Promise<void> {
    const { steps, values } = this.data
    const [from, to] = [this.firsts[target], this.firsts[target + 1]]
    const row = new Float64Array(to - from)
    for (let i = from; i < to; i++) row[i - from] = values[i * steps + step]
    let appender = this.db.appender()
    const refs = this.refs.subarray(from, to)
    if (step === 0) for (let i = from; i < to; i++) this.refs[i] = appender.register(this.labels[i])
    const outcomes = this.outcomes.subarray(from, to)
    if (appender.appendRow(refs, row, row.length, t, outcomes) > 0) {
      // Other targets are appended while this one waits: they have parts of `outcomes` of their own.
      for (let i = 0; i < row.length; i++) {
        let outcome = outcomes[i]
        while (outcome !== APPENDED) {
          if (outcome === APPEND_UNKNOWN_REF) refs[i] = appender.register(this.labels[from + i])
          else if (outcome === APPEND_NO_MEMORY) {
            await appender.commit()
            await sleep(RETRY_MS)
            appender = this.db.appender()
          } else throw new Error(`sample of series ${from + i} at ${t}: outcome ${outcome}`)
          outcome = appender.append(refs[i], t, row[i], KIND_FLOAT)
        }
      }
    }
    const { outOfOrder } = await appender.commit()
    if (outOfOrder > 0) throw new Error(`${outOfOrder} samples at ${t} were dropped at commit`)
  }

  /** Throws unless some series, read back, are what was put in. */
  async check(): Promise<void> {
    const { startMs, target, steps, intervalMs, values } = this.data
    const querier = this.db.querier(Math.min(...startMs), Math.max(...startMs) + steps * intervalMs)
    const columns = new SampleColumns()
    const hints = { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false }
    try {
      for (let n = 0; n < CHECKED_SERIES; n++) {
        const i = Math.floor((n * this.labels.length) / CHECKED_SERIES)
        const matchers = this.data.labels[i].map(([name, value]) => new Matcher(name, '=', value))
        const set = await querier.select(matchers, hints)
        let found = -1
        for (let s = 0; s < set.count; s++) if (compareLabels(set.labels(s), this.labels[i]) === 0) found = s
        if (found < 0) throw new Error(`series ${i} is not found`)
        set.read(found, columns)
        if (columns.length !== steps) throw new Error(`series ${i} has ${columns.length} samples of ${steps}`)
        for (let step = 0; step < steps; step++) {
          const t = startMs[target[i]] + step * intervalMs
          const isSame = columns.t[step] === t && Object.is(columns.v[step], values[i * steps + step])
          if (!isSame) throw new Error(`series ${i}, sample ${step} is not what was put in`)
        }
      }
    } finally {
      querier.close()
    }
  }
}

async function load(folder: string, spec: DataSpec): Promise<Loaded> {
  const data = makeDataSet(spec)
  const db = await Database.open({
    path: folder,
    isThreaded: true,
    turnMs: 1,
    limits: { headBytesMax: HEAD_BYTES },
    onTrouble: (error) => console.error(error.message),
  })
  await db.ready()
  const startedAt = Date.now()
  const loader = new Loader(db, data)
  await loader.run()
  const loadedAt = Date.now()
  db.cut()
  await db.settle()
  const settledAt = Date.now()
  await loader.check()
  await db.close()
  return { seconds: (loadedAt - startedAt) / 1000, upkeepSeconds: (settledAt - loadedAt) / 1000 }
}

if (import.meta.main) {
  console.log(JSON.stringify(await load(process.argv[2], JSON.parse(process.argv[3]) as DataSpec)))
}
