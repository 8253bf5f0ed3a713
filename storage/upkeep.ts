/**
 * The upkeep thread: replays the generations of before the start while the main thread scrapes.
 *
 * Started with `workerData: UpkeepTask`; posts one `ReplayResult` a generation, oldest first, then ends. Main has
 * the log's database open before this thread opens it, and keeps it open until this thread is gone.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { type ReplayResult, replayGeneration } from './head/replay.ts'
import { Slab } from './slab/slab.ts'
import { Store } from './store.ts'

interface UpkeepTask {
  task: 'replay'
  buffer: SharedArrayBuffer
  walPath: string
  generations: number[]
}

/** Replays in a thread of its own. Rejects with what the thread failed of. */
export function replayInThread(
  slab: Slab,
  walPath: string,
  generations: readonly number[],
): Promise<ReplayResult[]> {
  return new Promise((resolve, reject) => {
    const task: UpkeepTask = { task: 'replay', buffer: slab.buffer, walPath, generations: [...generations] }
    const worker = new Worker(new URL(import.meta.url), { workerData: task, name: 'upkeep' })
    const results: ReplayResult[] = []
    worker.on('message', (result: ReplayResult) => results.push(result))
    worker.on('error', reject)
    worker.on('exit', (code) => {
      if (results.length === generations.length) resolve(results)
      else reject(new Error(`the upkeep thread ended with code ${code} after ${results.length} generations`))
    })
  })
}

async function runTask(task: UpkeepTask): Promise<void> {
  const slab = new Slab(task.buffer)
  const store = await Store.open(task.walPath, { createIfMissing: false, isShared: true })
  try {
    for (const number of task.generations) {
      parentPort!.postMessage(await replayGeneration(store, slab, number))
    }
  } finally {
    await store.close()
  }
}

if (parentPort !== null && (workerData as UpkeepTask | undefined)?.task === 'replay') {
  await runTask(workerData as UpkeepTask)
}
