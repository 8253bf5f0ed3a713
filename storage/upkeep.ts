/**
 * The upkeep thread: replays the log at the start, writes generations out, merges blocks; one task at a time, in a
 * thread that lives as long as its task, so that its heap goes with it.
 *
 * Tasks are plain data and run in any thread. Main has the log's database open before a replaying thread opens it,
 * and keeps it open until that thread is gone. Blocks are opened through clones, so nobody else matters.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { BlockMeta } from './block/format.ts'
import { holdsHidden, type MergeOutcome, type MergeTask, mergeBlocks } from './block/merge.ts'
import { Pace } from './block/pace.ts'
import type { Tombstone } from './block/tombstones.ts'
import { type WriteOrder, writeGeneration } from './block/write-generation.ts'
import { BlockSource } from './head/block-source.ts'
import { type ReplayLimits, type ReplayResult, replayGenerations } from './head/replay.ts'
import { Slab } from './slab/slab.ts'
import { Store } from './store.ts'
import { lowerThreadPriority } from './thread-priority.ts'

/** Makes generations anew from the log; the oldest ones become blocks when they do not fit into memory. */
export interface ReplayTask {
  kind: 'replay'
  walPath: string
  generations: readonly number[]
  limits: ReplayLimits
  /** How blocks are written. */
  order: Omit<WriteOrder, 'folder' | 'id' | 'firstGeneration' | 'finalGeneration'>
  /** Where: one folder a generation of the log, with the id of its first block. */
  folders: readonly Pick<WriteOrder, 'id' | 'folder'>[]
}

/** Writes a closed generation into a new folder. */
export interface WriteTask {
  kind: 'write'
  rootAt: number
  /** The newest commit of all. */
  commit: number
  order: WriteOrder
}

/** Makes one block of several, or one anew without what is hidden of it. */
export interface MergeBlocksTask {
  kind: 'merge'
  task: MergeTask
}

/** Tells whether a block holds samples that one of the tombstones hides. */
export interface CheckTask {
  kind: 'check'
  input: MergeTask['inputs'][number]
  tombstones: readonly Tombstone[]
}

export type UpkeepTask = ReplayTask | WriteTask | MergeBlocksTask | CheckTask

export interface UpkeepResults {
  /** `written`: the blocks of a generation each, with the id that their folder has. */
  replay: ReplayResult & { written: { id: number; metas: BlockMeta[] }[] }
  /** None when nothing was left to write: then there is no folder. */
  write: BlockMeta[]
  merge: MergeOutcome
  check: boolean
}

const UPKEEP_NICE = 10
/** Of one core: merges have time. */
const MERGE_SHARE = 0.5

/** One word: not 0 ends a merge soon. */
export type StopWord = Int32Array<SharedArrayBuffer>

type ResultOf<T extends UpkeepTask> = UpkeepResults[T['kind']]

/** Runs a task in this thread. `store`: the log, for a replay. Throws what the task fails of. */
export async function runUpkeepTask<T extends UpkeepTask>(
  task: T,
  slab: Slab,
  store: Store | undefined,
  stop: StopWord,
  onReplayed: (done: number) => void,
): Promise<ResultOf<T>> {
  const pace = new Pace(MERGE_SHARE)
  switch (task.kind) {
    case 'replay':
      return (await replay(task, slab, store!, onReplayed)) as ResultOf<T>
    case 'write': {
      const source = new BlockSource(slab, task.rootAt, task.commit)
      return (await writeGeneration(source, task.order)) as ResultOf<T>
    }
    case 'merge':
      return (await mergeBlocks(task.task, {
        shouldStop: () => Atomics.load(stop, 0) !== 0,
        pause: () => pace.pause(),
      })) as ResultOf<T>
    case 'check':
      return (await holdsHidden(task.input, task.tombstones, { pause: () => pace.pause() })) as ResultOf<T>
  }
}

async function replay(
  task: ReplayTask,
  slab: Slab,
  store: Store,
  onReplayed: (done: number) => void,
): Promise<UpkeepResults['replay']> {
  const written: UpkeepResults['replay']['written'] = []
  const folders = [...task.folders]
  const result = await replayGenerations(
    store,
    slab,
    task.generations,
    task.limits,
    onReplayed,
    async (generation, finalGeneration) => {
      const { id, folder } = folders.shift()!
      const source = new BlockSource(slab, generation.rootAt, 0)
      const firstGeneration = generation.number
      const metas = await writeGeneration(source, {
        ...task.order,
        id,
        folder,
        firstGeneration,
        finalGeneration,
      })
      if (metas.length > 0) written.push({ id, metas })
    },
  )
  return { ...result, written }
}

interface ThreadData {
  upkeep: UpkeepTask
  buffer: SharedArrayBuffer
  stop: StopWord
}

type FromThread = { done: number } | { result: UpkeepResults[UpkeepTask['kind']] }

/** Runs a task in a thread of its own. Settles when that is gone; rejects with what it failed of. */
export function runInThread<T extends UpkeepTask>(
  task: T,
  slab: Slab,
  stop: StopWord,
  onReplayed: (done: number) => void,
): Promise<ResultOf<T>> {
  return new Promise((resolve, reject) => {
    const data: ThreadData = { upkeep: task, buffer: slab.buffer, stop }
    const worker = new Worker(new URL(import.meta.url), { workerData: data, name: `upkeep: ${task.kind}` })
    let result: { result: ResultOf<T> } | undefined
    let failure: unknown
    worker.on('message', (message: FromThread) => {
      if ('done' in message) onReplayed(message.done)
      else result = message as { result: ResultOf<T> }
    })
    worker.on('error', (error) => {
      failure = error
    })
    worker.on('exit', (code) => {
      if (failure !== undefined) reject(failure)
      else if (result !== undefined) resolve(result.result)
      else reject(new Error(`the upkeep thread ended with code ${code} before it was done`))
    })
  })
}

async function runThread({ upkeep, buffer, stop }: ThreadData): Promise<void> {
  // A start waits for the replay.
  if (upkeep.kind !== 'replay') lowerThreadPriority(UPKEEP_NICE)
  const post = (message: FromThread) => parentPort!.postMessage(message)
  const store =
    upkeep.kind === 'replay'
      ? await Store.open(upkeep.walPath, { createIfMissing: false, isShared: true })
      : undefined
  try {
    const result = await runUpkeepTask(upkeep, new Slab(buffer), store, stop, (done) => post({ done }))
    post({ result })
  } finally {
    await store?.close()
  }
}

const data = workerData as ThreadData | null
if (parentPort !== null && data?.upkeep !== undefined) await runThread(data)
