// Goal: the sum of a constant series never changes, whatever becomes of what it lies in. Method: threads ask for it
// without pause, while other series are appended to, generations are cut, written out and merged, and others deleted.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { Database } from '../../../storage/db.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { append } from '../../conformance/storage.suite.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

const SERIES = 30
const SAMPLES = 200
const ROUNDS = Number(process.env.ROUNDS ?? 40)
const NOISE = [new Matcher('__name__', '=', 'noise')]

interface Report {
  views: number
  faults: string[]
}

/** Asks until it is told to stop; resolves to its report then. */
class Reader {
  private readonly worker: Worker
  private readonly report: Promise<Report>

  private constructor(worker: Worker, report: Promise<Report>) {
    this.worker = worker
    this.report = report
  }

  static async start(db: Database, reader: number): Promise<Reader> {
    const worker = new Worker(new URL('./sum-thread.ts', import.meta.url), {
      workerData: { handle: db.handle, reader, seriesCount: SERIES, sampleCount: SAMPLES },
    })
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const report = new Promise<Report>((resolve, reject) => {
      worker.on('message', (message: Report | 'ready') => (message === 'ready' ? begin() : resolve(message)))
      worker.once('error', reject)
    })
    await Promise.race([begun, report])
    return new Reader(worker, report)
  }

  async stop(): Promise<Report> {
    this.worker.postMessage('stop')
    const report = await this.report
    await this.worker.terminate()
    return report
  }
}

/** Fills the constant series so that they lie in several blocks and in the head. */
async function fill(db: Database, random: Prng): Promise<void> {
  for (let t = 1; t <= SAMPLES; t++) {
    await append(
      db,
      Array.from({ length: SERIES }, (_, i) => [`constant n=${i}`, t * 60_000, 1] as const),
    )
    if (random.chance(0.05)) db.cut()
    if (random.chance(0.02)) await db.settle()
  }
}

it('never changes the sum of a constant series', async () => {
  const seed = testSeed()
  const random = prng(seed)
  const path = await mkdtemp(join(tmpdir(), 'narthex-invariant-'))
  const db = await Database.open({
    path,
    turnMs: 0,
    isThreaded: random.chance(0.5),
    limits: { headBytesMax: 64 * 2 ** 20 },
    onTrouble: (error) => expect.unreachable(`SEED=${seed} ${error.stack}`),
  })
  await db.ready()
  await fill(db, random)
  const readers = [await Reader.start(db, 0), await Reader.start(db, 1)]
  let t = SAMPLES * 60_000
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = random.int(1, 30); i > 0; i--) {
      t += 60_000
      await append(db, [
        [`noise n=${random.int(0, 20)}`, t, t],
        [`noise n=${random.int(21, 40)}`, t - random.int(0, 3_000_000), t],
      ])
    }
    db.cut()
    if (random.chance(0.5)) await db.deleteSeries(NOISE, t - random.int(0, 6_000_000), t)
    if (random.chance(0.5)) await db.settle()
    if (random.chance(0.2)) await db.cleanTombstones()
  }
  await db.settle()
  const stats = db.stats()
  for (const reader of readers) {
    const { faults, views } = await reader.stop()
    expect(faults, `SEED=${seed}`).toEqual([])
    expect(views, `SEED=${seed}`).toBeGreaterThan(5)
  }
  expect(stats.merged, `SEED=${seed}`).toBeGreaterThan(0)
  await db.close()
  await rm(path, { recursive: true })
}, 180_000)
