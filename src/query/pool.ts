/**
 * Queries in worker threads.
 *
 * Requests wait in one queue, first come first served, for a thread that is free; a thread runs one request at a
 * time, since evaluation never yields. A request crosses as plain data and its answer comes back as bytes that
 * are transferred, not copied. Each thread has a cancel word in shared memory that its evaluation polls.
 *
 * One thread is there from the start; others are started when all are busy, and end when they had nothing to do for a
 * while: each costs some 25 MB. The first one is the light lane: a query that by the engine's estimate takes long is not
 * run there but handed back, and waits for another thread. So a small query never waits for a large one.
 *
 * A thread that dies takes its one query with it, which is answered with an error, and is replaced. Its heap is
 * bounded, so that a query that blows it up ends the thread and not the process.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { EngineOptions } from '../../promql/engine.ts'
import { MEMORY_CELLS } from '../../promql/memory.ts'
import type { StorageHandle } from '../../storage/attach.ts'
import type { DamageNote } from '../../storage/damage.ts'
import type { QueryRequest, QueryResponse, QueryService } from './request.ts'
import {
  canceledResponse,
  closedResponse,
  errorResponse,
  executionFailure,
  queueTimeoutResponse,
} from './response.ts'
import type { FromWorker, ToWorker, WorkerMemory, WorkerSetup } from './worker.ts'

export interface QueryPoolOptions {
  /** What the threads open the storage with; see `storageModule`. */
  storageHandle: StorageHandle
  engine: EngineOptions
  /** Queries (instant and range) that run at once; more threads than this serve label queries only. */
  maxConcurrency: number
  /** Bytes that all queries may have together; without it, any. */
  memoryBytes?: number
  /** Threads at most, `defaultThreadCount()` unless given. With a single one there is no light lane. */
  threads?: number
  /** After how long without a request a thread ends, but for the first one. */
  idleMs?: number
  /** Bound of a thread's heap in MiB, typed arrays not counted. */
  heapMib?: number
  /**
   * Called when a thread is gone, before another one takes its index: what it held in shared memory
   * (its view of the storage) must be released.
   */
  onWorkerExit?(workerIndex: number): void
  /** Called with what ended a thread that was not told to end. */
  onWorkerError?(workerIndex: number, error: Error): void
  /**
   * Called when a thread was given a request, and when it has it no more: the request is answered then, or (where it
   * was too much for the light lane) waits again. Neither may throw, or take long: queries wait for them.
   */
  onStart?(workerIndex: number, request: QueryRequest): void
  onEnd?(workerIndex: number, request: QueryRequest): void
  /** What is lost of all but the blocks now: queries are warned of it. */
  damage?(): readonly DamageNote[]
  /** A thread met damage on the disk. */
  onDamage?(damage: DamageNote): void
  /** URL of the module whose `attachStorage(handle, workerIndex)` gives the threads their Queryable. */
  storageModule?: string
}

/** The light lane, and a thread a core for all else; the main thread goes before them by its priority. */
export function defaultThreadCount(): number {
  return 1 + availableParallelism()
}

const STORAGE_MODULE = new URL('../../storage/attach.ts', import.meta.url).href
const WORKER_MODULE = new URL('./worker.ts', import.meta.url)
const HEAP_MIB = 1024
const IDLE_MS = 60_000
/** A thread that dies before it was ever ready is replaced after a pause that doubles from the first to the last. */
const RESTART_PAUSE_MS = 50
const RESTART_PAUSE_MAX_MS = 5_000
/** How long `close` waits for canceled queries to notice, before their threads are ended under them. */
const CLOSE_PATIENCE_MS = 500
/** A longer timer would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** Estimated work (see plan/estimate.ts) that takes some 25 ms: more is not run in the light lane. */
const LIGHT_WORK = 4_000_000
/** What a query in the light lane may have, or a quarter of all memory where that is less. */
const LIGHT_BYTES = 64 * 2 ** 20

interface Job {
  request: QueryRequest
  /** It was too much for the light lane. */
  isHeavy: boolean
  queuedAtMs: number
  timeoutMs: number
  isGated: boolean
  /** Nobody waits for the answer any more. */
  isAborted: boolean
  abort(): void
  /** Ends the job; the first answer counts. */
  answer(response: QueryResponse): void
  /** The thread that runs it; undefined while it waits. */
  thread: QueryThread | undefined
}

interface QueryThread {
  index: number
  worker: Worker
  cancel: Int32Array<SharedArrayBuffer>
  job: Job | undefined
  isReady: boolean
  /** It is being ended because there is nothing to do. */
  isLeaving: boolean
  idleTimer: NodeJS.Timeout | undefined
  /** What the thread died of. */
  error: Error | undefined
}

export class QueryPool implements QueryService {
  private readonly options: QueryPoolOptions
  private readonly threads: (QueryThread | undefined)[] = []
  private readonly queue: Job[] = []
  private readonly restarts: (NodeJS.Timeout | undefined)[] = []
  private readonly failuresInRow: number[] = []
  /** What each thread's query has reserved. */
  private readonly memoryCells = new Int32Array(new SharedArrayBuffer(4 * MEMORY_CELLS))
  private gatedRunning = 0
  private isClosed = false

  constructor(options: QueryPoolOptions) {
    this.options = options
    const count = Math.min(options.threads ?? defaultThreadCount(), MEMORY_CELLS)
    for (let index = 0; index < count; index++) {
      this.failuresInRow.push(0)
      this.threads.push(index === 0 ? this.startThread(index) : undefined)
    }
  }

  run(request: QueryRequest, signal?: AbortSignal): Promise<QueryResponse> {
    if (this.isClosed) return Promise.resolve(closedResponse())
    if (signal?.aborted) return Promise.resolve(canceledResponse())
    return new Promise((resolve) => this.enqueue(request, signal, resolve))
  }

  /** As if whoever sent this very request had gone away; one that is answered already is not touched. */
  cancel(request: QueryRequest): void {
    const isIt = (job: Job | undefined) => job?.request === request
    const job = this.queue.find(isIt) ?? this.threads.find((thread) => isIt(thread?.job))?.job
    job?.abort()
  }

  /** Cancels what waits and what runs, and ends the threads; resolves when all are gone. */
  async close(): Promise<void> {
    this.isClosed = true
    for (const restart of this.restarts) clearTimeout(restart)
    for (const thread of this.threads) clearTimeout(thread?.idleTimer)
    for (const job of [...this.queue]) job.answer(closedResponse())
    const running = this.threads.filter((thread) => thread?.job !== undefined) as QueryThread[]
    for (const thread of running) Atomics.store(thread.cancel, 0, 1)
    const deadline = performance.now() + CLOSE_PATIENCE_MS
    while (running.some((thread) => thread.job !== undefined) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await Promise.all(this.threads.map((thread) => thread?.worker.terminate()))
  }

  private enqueue(
    request: QueryRequest,
    signal: AbortSignal | undefined,
    resolve: (r: QueryResponse) => void,
  ): void {
    const isGated = request.kind === 'instant' || request.kind === 'range'
    const timeoutMs = isGated ? request.timeoutMs : Number.POSITIVE_INFINITY
    let timer: NodeJS.Timeout | undefined
    const onAbort = () => {
      job.isAborted = true
      if (job.thread !== undefined) Atomics.store(job.thread.cancel, 0, 1)
      else job.answer(canceledResponse())
    }
    const job: Job = {
      request,
      isHeavy: false,
      isAborted: false,
      queuedAtMs: performance.now(),
      timeoutMs,
      isGated,
      thread: undefined,
      abort: onAbort,
      answer: (response) => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        const at = this.queue.indexOf(job)
        if (at >= 0) this.queue.splice(at, 1)
        resolve(response)
      },
    }
    signal?.addEventListener('abort', onAbort)
    this.queue.push(job)
    this.dispatch()
    if (isGated) timer = setTimeout(() => this.endWaiting(job), Math.min(timeoutMs, TIMER_MAX_MS))
  }

  /** Its time is up; a request that runs finds out by itself. */
  private endWaiting(job: Job): void {
    if (job.thread === undefined) job.answer(queueTimeoutResponse(performance.now() - job.queuedAtMs))
  }

  /** Gives waiting requests to free threads, in their order; a request that the gate holds back is stepped over. */
  private dispatch(): void {
    for (const thread of this.threads) {
      if (thread === undefined || !thread.isReady || thread.job !== undefined) continue
      const at = this.findRunnable(this.isLight(thread.index))
      if (at >= 0) this.start(thread, this.queue.splice(at, 1)[0])
    }
    if (this.findRunnable(false) >= 0) this.addThread()
  }

  private isLight(index: number): boolean {
    return index === 0 && this.threads.length > 1
  }

  /** Position of the first request that may run now, or −1. */
  private findRunnable(isLight: boolean): number {
    const mayRunQuery = this.gatedRunning < this.options.maxConcurrency
    return this.queue.findIndex((job) => (mayRunQuery || !job.isGated) && !(isLight && job.isHeavy))
  }

  /** Starts one more thread, unless one is starting already or there are enough. */
  private addThread(): void {
    if (this.threads.some((thread) => thread !== undefined && !thread.isReady && !thread.isLeaving)) return
    const index = this.threads.findIndex(
      (thread, i) => thread === undefined && this.restarts[i] === undefined,
    )
    if (index >= 0) this.threads[index] = this.startThread(index)
  }

  private start(thread: QueryThread, job: Job): void {
    clearTimeout(thread.idleTimer)
    thread.job = job
    job.thread = thread
    if (job.isGated) this.gatedRunning++
    Atomics.store(thread.cancel, 0, 0)
    const queueMs = performance.now() - job.queuedAtMs
    const workMax = this.isLight(thread.index) ? LIGHT_WORK : undefined
    const damage = this.options.damage?.() ?? []
    thread.worker.postMessage({ request: job.request, queueMs, damage, workMax } satisfies ToWorker)
    // Behind the message: the thread wakes up meanwhile.
    this.options.onStart?.(thread.index, job.request)
  }

  /** Takes the job from its thread, so that both are free. */
  private release(thread: QueryThread): Job | undefined {
    const { job } = thread
    thread.job = undefined
    if (job?.isGated) this.gatedRunning--
    if (job !== undefined) this.options.onEnd?.(thread.index, job.request)
    this.armIdle(thread)
    return job
  }

  private armIdle(thread: QueryThread): void {
    if (thread.index === 0) return
    clearTimeout(thread.idleTimer)
    thread.idleTimer = setTimeout(() => this.leave(thread), this.options.idleMs ?? IDLE_MS)
    thread.idleTimer.unref()
  }

  private leave(thread: QueryThread): void {
    thread.isReady = false
    thread.isLeaving = true
    // What is left to be done comes with its exit.
    void thread.worker.terminate()
  }

  /** What the light lane may have is not shared: its queries wait for no other's memory. */
  private memoryOf(index: number): WorkerMemory | undefined {
    const { memoryBytes } = this.options
    if (memoryBytes === undefined) return undefined
    const lightBytes = Math.min(LIGHT_BYTES, memoryBytes / 4)
    if (this.isLight(index)) return { maxBytes: lightBytes, share: undefined }
    const maxBytes = memoryBytes - lightBytes
    return {
      maxBytes,
      share: { cells: this.memoryCells, cell: index, totalKib: Math.floor(maxBytes / 1024) },
    }
  }

  private startThread(index: number): QueryThread {
    const cancel = new Int32Array(new SharedArrayBuffer(4))
    const { engine, storageHandle } = this.options
    const setup: WorkerSetup = {
      workerIndex: index,
      cancel,
      engine,
      memory: this.memoryOf(index),
      storageHandle,
      storageModule: this.options.storageModule ?? STORAGE_MODULE,
    }
    const worker = new Worker(WORKER_MODULE, {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: this.options.heapMib ?? HEAP_MIB },
      name: `query ${index}`,
    })
    const thread: QueryThread = {
      index,
      worker,
      cancel,
      job: undefined,
      isReady: false,
      isLeaving: false,
      idleTimer: undefined,
      error: undefined,
    }
    worker.on('message', (message: FromWorker) => this.receive(thread, message))
    worker.on('error', (error) => {
      thread.error = error as Error
    })
    worker.on('exit', () => this.replace(thread))
    return thread
  }

  private receive(thread: QueryThread, message: FromWorker): void {
    if (typeof message === 'object' && 'damage' in message) {
      this.options.onDamage?.(message.damage)
      return
    }
    if (message === 'ready') {
      thread.isReady = true
      this.failuresInRow[thread.index] = 0
      this.armIdle(thread)
    } else if (message === 'heavy') {
      this.putBack(this.release(thread))
    } else {
      this.release(thread)?.answer(message)
    }
    this.dispatch()
  }

  /** The request keeps its place before all that came later. */
  private putBack(job: Job | undefined): void {
    if (job === undefined) return
    job.isHeavy = true
    job.thread = undefined
    if (job.isAborted) job.answer(canceledResponse())
    else if (performance.now() - job.queuedAtMs >= job.timeoutMs) this.endWaiting(job)
    else {
      const at = this.queue.findIndex(({ queuedAtMs }) => queuedAtMs > job.queuedAtMs)
      this.queue.splice(at < 0 ? this.queue.length : at, 0, job)
    }
  }

  /** After the end of a thread: answers its query, lets its hold on storage go, starts another one. */
  private replace(thread: QueryThread): void {
    const { index } = thread
    clearTimeout(thread.idleTimer)
    this.threads[index] = undefined
    Atomics.store(this.memoryCells, index, 0)
    if (thread.isLeaving) {
      this.options.onWorkerExit?.(index)
      if (!this.isClosed) this.dispatch()
      return
    }
    const error = thread.error ?? new Error('the thread ended by itself')
    this.release(thread)?.answer(this.isClosed ? closedResponse() : deathResponse(error))
    this.options.onWorkerExit?.(index)
    if (this.isClosed) return
    this.options.onWorkerError?.(index, error)
    const restart = () => {
      this.restarts[index] = undefined
      this.threads[index] = this.startThread(index)
    }
    if (thread.isReady) {
      restart()
    } else {
      const pauseMs = Math.min(RESTART_PAUSE_MS * 2 ** this.failuresInRow[index]++, RESTART_PAUSE_MAX_MS)
      this.restarts[index] = setTimeout(restart, pauseMs)
    }
  }
}

/** Running out of memory is the query's doing, anything else is a bug of ours. */
function deathResponse(error: Error & { code?: string }): QueryResponse {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return executionFailure('query needs more memory than a query thread may have')
  }
  const message = `query thread died: ${error.message}`
  return { ...errorResponse('internal', message), error: message }
}
