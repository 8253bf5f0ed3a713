/**
 * The upkeep thread: replays the generations of before the start while the main thread scrapes.
 *
 * Started with `workerData: UpkeepTask`; posts how many generations are done after each, then the `ReplayResult`,
 * and ends. Main has the log's database open before this thread opens it, and keeps it open until this thread is
 * gone.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { type ReplayLimits, type ReplayResult, replayGenerations } from './head/replay.ts'
import { Slab } from './slab/slab.ts'
import { Store } from './store.ts'

interface UpkeepTask {
  task: 'replay'
  buffer: SharedArrayBuffer
  walPath: string
  generations: readonly number[]
  limits: ReplayLimits
}

/** Replays in a thread of its own. Settles when that is gone; rejects with what it failed of. */
export function replayInThread(
  slab: Slab,
  walPath: string,
  generations: readonly number[],
  limits: ReplayLimits,
  onDone: (done: number) => void,
): Promise<ReplayResult> {
  return new Promise((resolve, reject) => {
    const task: UpkeepTask = { task: 'replay', buffer: slab.buffer, walPath, generations, limits }
    const worker = new Worker(new URL(import.meta.url), { workerData: task, name: 'upkeep' })
    let result: ReplayResult | undefined
    let failure: unknown
    worker.on('message', (message: number | ReplayResult) => {
      if (typeof message === 'number') onDone(message)
      else result = message
    })
    worker.on('error', (error) => {
      failure = error
    })
    worker.on('exit', (code) => {
      if (failure !== undefined) reject(failure)
      else if (result !== undefined) resolve(result)
      else reject(new Error(`the upkeep thread ended with code ${code} before it was done`))
    })
  })
}

async function runTask(task: UpkeepTask): Promise<void> {
  const port = parentPort!
  const slab = new Slab(task.buffer)
  const store = await Store.open(task.walPath, { createIfMissing: false, isShared: true })
  try {
    const { generations, limits } = task
    port.postMessage(
      await replayGenerations(store, slab, generations, limits, (done) => port.postMessage(done)),
    )
  } finally {
    await store.close()
  }
}

if (parentPort !== null && (workerData as UpkeepTask | undefined)?.task === 'replay') {
  await runTask(workerData as UpkeepTask)
}
