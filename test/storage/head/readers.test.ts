// Goal: readers in other threads never see half a batch, a torn row or a lost sample, while the writer appends,
// empties rows, cuts and drops. Method: every batch writes one value to all series of a group, so within a view
// all series of a group have the same samples; a worker asks without pause.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { Database } from '../../../storage/db.ts'
import { KIND_FLOAT } from '../../../storage/model/sample.ts'
import { labelsOf } from '../../conformance/storage.suite.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const SERIES = 40

interface Report {
  views: number
  faults: string[]
  longest: number
}

it('shows whole batches only, to threads that read all the time', async () => {
  const seed = testSeed()
  const random = prng(seed)
  const path = await mkdtemp(join(tmpdir(), 'narthex-readers-'))
  const limits = { headBytesMax: 64 * 2 ** 20, cutSpanMs: 1e12, cutBytesMin: 0, cutBytesMax: 1e12 }
  const db = await Database.open({ path, turnMs: 0, limits })
  await db.ready()
  const reports: Promise<Report>[] = []
  const workers = [0, 1].map((reader) => {
    const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), {
      workerData: { handle: db.handle, reader, seriesCount: SERIES },
    })
    reports.push(new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)))
    return worker
  })
  const endMs = Date.now() + 2500
  let t = 0
  while (Date.now() < endMs) {
    t += random.int(1, 5)
    const appender = db.appender()
    for (let i = 0; i < SERIES; i++)
      appender.append(appender.register(labelsOf(`m n=${i}`)), t, t * 3, KIND_FLOAT)
    await appender.commit()
    if (random.chance(0.01)) db.cut()
  }
  for (const worker of workers) worker.postMessage('stop')
  const results = await Promise.all(reports)
  for (const { faults, views, longest } of results) {
    expect(faults, `SEED=${seed}`).toEqual([])
    expect(views, `SEED=${seed}`).toBeGreaterThan(20)
    expect(longest).toBeGreaterThan(100)
  }
  await Promise.all(workers.map((worker) => worker.terminate()))
  await db.close()
  await rm(path, { recursive: true })
})
