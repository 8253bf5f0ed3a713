/** Entry of a query thread: opens the storage, then answers one request after the other. */
import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { type EngineOptions, HeavyQuery } from '../../promql/engine.ts'
import { type MemoryShare, QueryMemory } from '../../promql/memory.ts'
import type { StorageHandle } from '../../storage/attach.ts'
import type { DamageNote } from '../../storage/damage.ts'
import type { HeadStatistics, Queryable } from '../../storage/interface.ts'
import { lowerThreadPriority } from '../../storage/thread-priority.ts'
import { collectGarbage } from '../collect-garbage.ts'
import { QueryExecutor } from './executor.ts'
import type { QueryRequest, QueryResponse } from './request.ts'

export interface WorkerSetup {
  workerIndex: number
  /** One word: not 0 cancels the request that runs. */
  cancel: Int32Array<SharedArrayBuffer>
  engine: EngineOptions
  memory: WorkerMemory | undefined
  storageHandle: StorageHandle
  storageModule: string
}

/** What the queries of one thread may have. */
export interface WorkerMemory {
  maxBytes: number
  /** Left out where no other thread's queries count. */
  share: MemoryShare | undefined
}

export interface ToWorker {
  request: QueryRequest
  /** How long the request waited for a thread. */
  queueMs: number
  /** What is lost of all but the blocks. */
  damage: readonly DamageNote[]
  /** See Run.workMax. */
  workMax: number | undefined
}

/**
 * 'ready' once, then one answer a request, 'heavy' where it was not to be run for its cost; and damage on the disk
 * whenever it is met.
 */
export type FromWorker = 'ready' | 'heavy' | QueryResponse | { damage: DamageNote }

interface StorageModule {
  attachStorage(
    handle: StorageHandle,
    workerIndex: number,
    onDamage: (damage: DamageNote) => void,
  ): Queryable & HeadStatistics
}

/** After a query that had more, its memory is given back at once. */
const LARGE_BYTES = 64 * 2 ** 20

/** Answers up to this size are copied, which takes less than handing their memory over. */
const COPIED_BYTES = 16 * 1024

/** Scrapes have to be on time; answers come as fast as that allows. */
const QUERY_NICE = 5

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
lowerThreadPriority(QUERY_NICE)
const setup = workerData as WorkerSetup
const { attachStorage } = (await import(setup.storageModule)) as StorageModule
const queryable = attachStorage(setup.storageHandle, setup.workerIndex, (damage) =>
  port.postMessage({ damage } satisfies FromWorker),
)
const executor = new QueryExecutor(setup.engine, queryable)

port.on('message', async ({ request, queueMs, damage, workMax }: ToWorker) => {
  const memory = setup.memory && new QueryMemory(setup.memory.maxBytes, setup.memory.share)
  try {
    const response = await executor.execute(request, {
      cancel: setup.cancel,
      queueMs,
      damage,
      memory,
      workMax,
    })
    if (response.body.length > COPIED_BYTES) port.postMessage(response, [response.body.buffer])
    // A copy of what the view shows: cloning takes the whole buffer along.
    else port.postMessage({ ...response, body: response.body.slice() } satisfies FromWorker)
    if (memory !== undefined && memory.peakBytes > LARGE_BYTES) collectGarbage()
  } catch (error) {
    if (!(error instanceof HeavyQuery)) throw error
    port.postMessage('heavy' satisfies FromWorker)
  }
})
port.postMessage('ready' satisfies FromWorker)
