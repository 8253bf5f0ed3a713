/**
 * The storage of query threads under test: a few series, and metric names that misbehave when they are selected.
 *
 *   fixture{i="0".."4"}   values i, at 0 s, 15 s, … 60 s
 *   sleepy{}              selecting takes 500 ms
 *   crash{}               ends the thread
 *   greedy{}              fills the heap until the thread dies
 *   bug{}                 throws what nobody expects
 *   large{}               is said to have very many samples; reading its one series takes 500 ms
 */
import type { StorageHandle } from '../../storage/attach.ts'
import type { HeadStatistics, HeadStatus, Querier, Queryable, SeriesSet } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { Labels } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'

export async function loadFixture(): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ appendableWindowMs: Number.POSITIVE_INFINITY })
  const appender = storage.appender()
  for (let i = 0; i < 5; i++) {
    const ref = appender.register(Labels.from({ __name__: 'fixture', i: String(i) }))
    for (let t = 0; t <= 60_000; t += 15_000) appender.append(ref, t, i, KIND_FLOAT)
  }
  await appender.commit()
  return storage
}

async function misbehave(matchers: readonly Matcher[]): Promise<void> {
  const name = matchers.find((matcher) => matcher.name === '__name__')?.value
  if (name === 'sleepy') await new Promise((resolve) => setTimeout(resolve, 500))
  if (name === 'crash') process.exit(3)
  if (name === 'bug') throw new TypeError('nobody expects this')
  if (name === 'greedy') {
    const hoard: object[] = []
    for (;;) hoard.push({ next: hoard.length, more: [hoard.length] })
  }
}

const LARGE_SERIES: SeriesSet = {
  count: 1,
  samplesEstimate: 1e9,
  labels: () => Labels.from({ __name__: 'large' }),
  read: (_, into) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    into.clear()
    into.push(60_000, 1, KIND_FLOAT)
  },
}

class MisbehavingStorage implements Queryable, HeadStatistics {
  private readonly storage: MemoryStorage

  constructor(storage: MemoryStorage) {
    this.storage = storage
  }

  headStatus(limit: number): HeadStatus {
    return this.storage.headStatus(limit)
  }

  querier(mint: number, maxt: number): Querier {
    const querier = this.storage.querier(mint, maxt)
    return {
      select: async (matchers, hints) => {
        await misbehave(matchers)
        const isLarge = matchers.some(({ name, value }) => name === '__name__' && value === 'large')
        return isLarge ? LARGE_SERIES : querier.select(matchers, hints)
      },
      labelNames: (matchers) => querier.labelNames(matchers),
      labelValues: (name, matchers) => querier.labelValues(name, matchers),
      warnings: () => querier.warnings(),
      close: () => querier.close(),
    }
  }
}

const storage = await loadFixture()

/** What a query thread calls. The handle is not looked at. */
export function attachStorage(_handle: StorageHandle, _reader: number): Queryable & HeadStatistics {
  return new MisbehavingStorage(storage)
}

/** For pools whose threads fail before they are ready: see `pool.test.ts`. */
export const FIXTURE_HANDLE: StorageHandle = { buffer: new SharedArrayBuffer(8), path: '' }
