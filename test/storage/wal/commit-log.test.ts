// Goal: what is acknowledged is on disk, in order, also when writes fail for a while. Method: a store whose
// writes fail on command.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Store } from '../../../storage/store.ts'
import { CommitLog, type CommitLogOptions } from '../../../storage/wal/commit-log.ts'
import { readPageCount } from '../../../storage/wal/generation-reader.ts'
import { generationsRange, parsePageKey } from '../../../storage/wal/record.ts'
import type { SampleBatch } from '../../../storage/wal/samples.ts'

let path: string
let store: Store

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'narthex-log-'))
  store = await Store.open(path, { createIfMissing: true, isShared: false })
})
afterEach(async () => {
  await store.close()
  await rm(path, { recursive: true })
})

function batch(t: number, count = 1): SampleBatch {
  return {
    length: count,
    index: new Uint32Array(count),
    t: new Float64Array(count).fill(t),
    // Full floats, that take their eight bytes.
    v: Float64Array.from({ length: count }, (_, i) => Math.sqrt(i + 2)),
    kind: new Uint8Array(count),
    st: new Float64Array(0),
    lastV: new Float64Array(count),
    isKey: new Uint8Array(count).fill(1),
    histograms: [],
  }
}

function newLog(options: Partial<CommitLogOptions> = {}): {
  log: CommitLog
  seen: number[]
  errors: unknown[]
} {
  const seen: number[] = []
  const errors: unknown[] = []
  const log = new CommitLog(store, 1, {
    turnMs: 1,
    syncIntervalMs: 1e6,
    bufferBytesMax: 1e6,
    retryMs: 5,
    onDurable: (commit) => seen.push(commit),
    onError: (error) => errors.push(error),
    ...options,
  })
  return { log, seen, errors }
}

async function pages(): Promise<string[]> {
  const found: string[] = []
  for await (const batches of store.scan(generationsRange(0, 100))) {
    for (const { key } of batches) {
      const { generation, page } = parsePageKey(key)
      found.push(`${generation}/${page}`)
    }
  }
  return found
}

describe('CommitLog', () => {
  it('writes all batches of a turn as one, and publishes its number when they are down', async () => {
    const { log, seen } = newLog()
    log.addSamples(batch(1))
    const first = log.durable()
    log.addSamples(batch(2))
    await Promise.all([first, log.durable()])
    expect(seen).toEqual([1])
    expect(await pages()).toEqual(['1/0'])
    log.addSamples(batch(3))
    log.setGeneration(2)
    log.addSamples(batch(4))
    await log.durable()
    expect(seen).toEqual([1, 2])
    expect(await pages()).toEqual(['1/0', '1/1', '2/0'])
    await log.close()
  })

  it('says in the first page of a generation how many pages the one before has', async () => {
    const { log } = newLog({ previous: { generation: 0, pageCount: 7 } })
    // Also when nothing else comes.
    await expect.poll(pages).toEqual(['1/0'])
    expect(await readPageCount(store, 0)).toBe(7)
    log.addSamples(batch(1))
    await log.durable()
    log.setGeneration(2)
    expect(await readPageCount(store, 1)).toBe(0)
    log.addSamples(batch(2))
    await log.durable()
    expect(await readPageCount(store, 1)).toBe(2)
    await log.close()
  })

  it('splits what is too large for a page, and syncs within its interval', async () => {
    const synced: number[] = []
    const { log } = newLog({ syncIntervalMs: 5, onSynced: (seconds) => synced.push(seconds) })
    log.addSamples(batch(1, 60_000))
    await log.durable()
    expect((await pages()).length).toBeGreaterThan(2)
    await expect.poll(() => synced.length).toBeGreaterThan(0)
    await log.close()
  })

  it('tries a failed write again, in order, after the store was reopened', async () => {
    const { log, seen, errors } = newLog()
    const write = store.write.bind(store)
    let failures = 3
    store.write = async (...args) => {
      if (failures-- > 0) throw new Error('disk full')
      return write(...args)
    }
    log.addSamples(batch(1))
    const first = log.durable()
    await expect.poll(() => errors.length).toBeGreaterThan(0)
    log.addSamples(batch(2))
    await Promise.all([first, log.durable()])
    expect(seen).toEqual([1, 2])
    expect(errors).toHaveLength(3)
    expect(await pages()).toEqual(['1/0', '1/1'])
    await log.close()
  })

  it('has no room beyond its bound, and rejects what it cannot write before it closes', async () => {
    const { log, seen } = newLog({ bufferBytesMax: 2000, retryMs: 1 })
    store.write = async () => {
      throw new Error('disk full')
    }
    expect(log.hasRoom).toBe(true)
    log.addSamples(batch(1, 400))
    const lost = log.durable()
    expect(log.hasRoom).toBe(false)
    const rejected = expect(lost).rejects.toMatchObject({ code: 'CLOSED' })
    await log.close()
    await rejected
    expect(seen).toEqual([])
    await expect(log.durable()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('closes when the last sync fails, and says so', async () => {
    const { log, errors } = newLog({ syncIntervalMs: 1e6 })
    const write = store.write.bind(store)
    log.addSamples(batch(1))
    await log.durable()
    store.write = async (pages, isSynced) => {
      if (isSynced) throw new Error('no sync')
      return write(pages, isSynced)
    }
    await log.close()
    expect(errors).toEqual([new Error('no sync')])
  })
})

describe('Store', () => {
  it('reopens under a scan that goes on behind its last key', async () => {
    const key = (i: number) => new Uint8Array([1, i])
    await store.write(
      Array.from({ length: 200 }, (_, i) => ({ key: key(i), value: new Uint8Array([i]) })),
      true,
    )
    const got: number[] = []
    for await (const batches of store.scan({ gte: key(0), lt: new Uint8Array([2]) })) {
      got.push(...batches.map(({ value }) => value[0]))
      await Promise.all([store.reopen(), store.get(key(1)), store.get(key(2))])
    }
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i))
  })

  it('takes no write after a failed one until it was reopened', async () => {
    const page = { key: new Uint8Array([1]), value: new Uint8Array([1]) }
    // LevelDB refuses a batch with a value that is none: a failure of the write itself.
    const broken = { key: new Uint8Array([2]), value: undefined as unknown as Uint8Array }
    await expect(store.write([page, broken], false)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(store.hasFailed).toBe(true)
    await expect(store.write([page], false)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    await store.reopen()
    await store.write([page], false)
    expect([...(await store.get(page.key))!]).toEqual([1])
  })

  it('takes no write after a failed deletion until it was reopened', async () => {
    const page = { key: new Uint8Array([1]), value: new Uint8Array([1]) }
    // Refused inside of the deletion: an end that is no key.
    const broken = { gte: new Uint8Array([2]), lt: Symbol('none') as unknown as Uint8Array }
    await expect(store.clear(broken)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    await expect(store.write([page], true)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    await store.reopen()
    await store.write([page], true)
    expect([...(await store.get(page.key))!]).toEqual([1])
  })

  it('is not reopened while another thread has it open', async () => {
    let leave = (): void => {}
    store.shareUntil(
      new Promise<void>((_, reject) => {
        leave = () => reject(new Error('the thread failed'))
      }),
    )
    const events: string[] = []
    const reopening = store.reopen().then(() => events.push('reopened'))
    // Reads go on meanwhile.
    for (let i = 0; i < 20; i++) await store.get(new Uint8Array([1]))
    events.push('left')
    leave()
    await reopening
    expect(events).toEqual(['left', 'reopened'])
  })
})
