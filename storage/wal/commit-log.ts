/**
 * The write-ahead log's writer: group commit.
 *
 * All batches committed since the last turn are one atomic write. The samples of a turn carry its commit number;
 * `onDurable` tells when that number may be seen. A turn survives a kill of the process when its write is done;
 * once a second a write is synced, so a power cut costs a second.
 *
 * A write that fails is tried again, after the store was reopened, until it is done: its samples are in the head
 * already, and a later turn must not become visible before an earlier one. Meanwhile the buffer grows to its
 * bound, and beyond it `hasRoom` is false: appends are refused.
 */

import { StorageError } from '../errors.ts'
import type { LabelBytes } from '../head/label-bytes.ts'
import type { Page, Store } from '../store.ts'
import { PageBuilder, pageKey } from './record.ts'
import type { SampleBatch } from './samples.ts'

export interface CommitLogOptions {
  /** How long a turn gathers batches. */
  turnMs: number
  syncIntervalMs: number
  /** Bytes that may wait to be written. */
  bufferBytesMax: number
  retryMs: number
  onDurable: (commit: number) => void
  /** A write failed and will be tried again. */
  onError: (error: unknown) => void
  /** Duration of a synced write. */
  onSynced?: (seconds: number) => void
  /** The newest generation of before the start and its pages; written at once, so that its end is proved from then on. */
  previous?: { generation: number; pageCount: number }
}

interface Turn {
  commit: number
  pages: Page[]
  bytes: number
  waiters: { resolve: () => void; reject: (error: unknown) => void }[]
}

export class CommitLog {
  private readonly store: Store
  private readonly options: CommitLogOptions
  private readonly builder = new PageBuilder()
  private generation: number
  private nextPage = 0
  private turn: Turn = { commit: 1, pages: [], bytes: 0, waiters: [] }
  private readonly queue: Turn[] = []
  private queuedBytes = 0
  private turnTimer: NodeJS.Timeout | undefined
  private syncTimer: NodeJS.Timeout | undefined
  private writing: Promise<void> | undefined
  private lastSyncMs = performance.now()
  private isSynced = true
  /** The next write is to be a synced one. */
  private isSyncWanted = false
  private isClosing = false
  private writtenBytesTotal = 0

  constructor(store: Store, generation: number, options: CommitLogOptions) {
    this.store = store
    this.generation = generation
    this.options = options
    const { previous, turnMs } = options
    if (previous === undefined) return
    this.builder.addOpening(previous.generation, previous.pageCount)
    this.turnTimer = setTimeout(() => this.endTurn(), turnMs)
  }

  /** Commit number of what is added now. */
  get commit(): number {
    return this.turn.commit
  }

  /** Whether nothing more is taken. */
  get hasClosed(): boolean {
    return this.isClosing
  }

  get hasRoom(): boolean {
    return this.queuedBytes + this.turn.bytes + this.builder.byteLength <= this.options.bufferBytesMax
  }

  /** Bytes written since the start. */
  get writtenBytes(): number {
    return this.writtenBytesTotal
  }

  /** What is added from now on belongs to this generation. */
  setGeneration(generation: number): void {
    this.closePage()
    this.builder.addOpening(this.generation, this.nextPage)
    this.generation = generation
    this.nextPage = 0
  }

  addSeries(index: number, labels: LabelBytes): void {
    this.builder.addSeries(index, labels)
    if (this.builder.isFull) this.closePage()
  }

  addSamples(batch: SampleBatch): void {
    for (let from = 0; from < batch.length; ) {
      from = this.builder.addSamples(batch, from, batch.length)
      if (this.builder.isFull) this.closePage()
    }
  }

  /** Resolves when all that was added so far is written. Rejects with CLOSED when the log closes before. */
  durable(): Promise<void> {
    if (this.isClosing) return Promise.reject(closed())
    const promise = new Promise<void>((resolve, reject) => {
      this.turn.waiters.push({ resolve, reject })
    })
    this.turnTimer ??= setTimeout(() => this.endTurn(), this.options.turnMs)
    return promise
  }

  /** Ends the turn now and waits until all is written and synced. */
  async flush(): Promise<void> {
    this.endTurn()
    while (this.writing !== undefined) await this.writing
    if (this.isSynced || this.store.hasFailed) return
    this.endTurnSynced()
    while (this.writing !== undefined) await this.writing
  }

  /** Flushes and stops. What cannot be written now is lost, its commits are rejected, and `onError` was told. */
  async close(): Promise<void> {
    this.isClosing = true
    await this.flush()
    clearTimeout(this.syncTimer)
    for (const { waiters } of this.queue) for (const { reject } of waiters) reject(closed())
    this.queue.length = 0
  }

  private closePage(): void {
    if (!this.builder.isEmpty) this.addPage()
  }

  private addPage(): void {
    const page = this.builder.finish(pageKey(this.generation, this.nextPage++))
    this.turn.pages.push(page)
    this.turn.bytes += page.value.length
  }

  private endTurn(): void {
    clearTimeout(this.turnTimer)
    this.turnTimer = undefined
    this.closePage()
    if (this.turn.pages.length > 0 || this.turn.waiters.length > 0) {
      this.queue.push(this.turn)
      this.queuedBytes += this.turn.bytes
      this.turn = { commit: (this.turn.commit + 1) >>> 0, pages: [], bytes: 0, waiters: [] }
    }
    this.startWriting()
  }

  /** Ends the turn and has it synced, should it be an empty page alone: keys that always ascend make tables apart. */
  private endTurnSynced(): void {
    this.isSyncWanted = true
    this.closePage()
    if (this.turn.pages.length === 0) this.addPage()
    this.endTurn()
  }

  private startWriting(): void {
    if (this.writing !== undefined || this.queue.length === 0) return
    this.writing = this.writeQueue().finally(() => {
      this.writing = undefined
    })
  }

  private async writeQueue(): Promise<void> {
    while (this.queue.length > 0) {
      const turn = this.queue[0]
      if (!(await this.writeTurn(turn))) return
      this.queue.shift()
      this.queuedBytes -= turn.bytes
      this.options.onDurable(turn.commit)
      for (const { resolve } of turn.waiters) resolve()
    }
  }

  /** False when it cannot be written and the log is closing. */
  private async writeTurn(turn: Turn): Promise<boolean> {
    if (turn.pages.length === 0) return true
    for (;;) {
      const isSyncDue =
        this.isSyncWanted || performance.now() - this.lastSyncMs >= this.options.syncIntervalMs
      try {
        if (this.store.hasFailed) await this.store.reopen()
        await this.put(turn.pages, isSyncDue)
        this.writtenBytesTotal += turn.bytes
        return true
      } catch (error) {
        this.options.onError(error)
        if (this.isClosing) return false
        await new Promise((resolve) => setTimeout(resolve, this.options.retryMs))
      }
    }
  }

  private async put(pages: readonly Page[], isSynced: boolean): Promise<void> {
    const start = performance.now()
    await this.store.write(pages, isSynced)
    if (isSynced) {
      this.isSynced = true
      this.isSyncWanted = false
      this.lastSyncMs = performance.now()
      this.options.onSynced?.((this.lastSyncMs - start) / 1000)
    } else {
      this.isSynced = false
      this.armSync()
    }
  }

  private armSync(): void {
    if (this.syncTimer !== undefined || this.isClosing) return
    const dueInMs = this.lastSyncMs + this.options.syncIntervalMs - performance.now()
    this.syncTimer = setTimeout(
      () => {
        this.syncTimer = undefined
        // A write that is under way or fails is followed by one that is synced, since that is due.
        if (!this.isSynced && this.writing === undefined) this.endTurnSynced()
      },
      Math.max(0, dueInMs),
    )
  }
}

function closed(): StorageError {
  return new StorageError('CLOSED', 'the write-ahead log is closed')
}
