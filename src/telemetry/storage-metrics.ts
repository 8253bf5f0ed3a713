/** The storage's metrics, under the names of Prometheus' own storage where it has one. */
import { Counter, Gauge, type Registry, Summary } from 'prom-client'
import type { Database } from '../../storage/db.ts'

/** What the storage says while it runs, beside its statistics. */
export class StorageMetrics {
  private readonly corruptions: Counter
  private readonly writeFailures: Counter
  private readonly fsync: Summary

  constructor(registry: Registry) {
    const registers = [registry]
    this.corruptions = new Counter({
      name: 'prometheus_tsdb_wal_corruptions_total',
      help: 'Total number of WAL corruptions.',
      registers,
    })
    this.writeFailures = new Counter({
      name: 'prometheus_tsdb_wal_writes_failed_total',
      help: 'Total number of WAL writes that failed.',
      registers,
    })
    this.fsync = new Summary({
      name: 'prometheus_tsdb_wal_fsync_duration_seconds',
      help: 'Duration of write log fsync.',
      percentiles: [0.5, 0.9, 0.99],
      maxAgeSeconds: 600,
      ageBuckets: 5,
      registers,
    })
  }

  countCorruption(): void {
    this.corruptions.inc()
  }

  countWriteFailure(): void {
    this.writeFailures.inc()
  }

  observeSync(seconds: number): void {
    this.fsync.observe(seconds)
  }
}

/** Metrics that are read from the database when they are asked for. */
export function registerDatabase(registry: Registry, db: Database): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  gauge('prometheus_tsdb_head_series', 'Total number of series in the head block.', () => db.stats().series)
  gauge('prometheus_tsdb_head_chunks', 'Total number of chunks in the head block.', () => db.stats().chunks)
  gauge(
    'prometheus_tsdb_head_min_time',
    'Minimum time bound of the head block. The unit is decided by the library consumer.',
    () => zeroIfNone(db.stats().mint),
  )
  gauge(
    'prometheus_tsdb_head_max_time',
    'Maximum timestamp of the head block. The unit is decided by the library consumer.',
    () => zeroIfNone(db.stats().maxt),
  )
  gauge(
    'prometheus_tsdb_head_min_time_seconds',
    'Minimum time bound of the head block.',
    () => zeroIfNone(db.stats().mint) / 1000,
  )
  gauge(
    'prometheus_tsdb_head_max_time_seconds',
    'Maximum timestamp of the head block.',
    () => zeroIfNone(db.stats().maxt) / 1000,
  )
  gauge(
    'prometheus_tsdb_lowest_timestamp',
    'Lowest timestamp value stored in the database. The unit is decided by the library consumer.',
    () => zeroIfNone(db.stats().mint),
  )
  gauge('prometheus_tsdb_blocks_loaded', 'Number of currently loaded data blocks', () => 0)
  counter(
    'prometheus_tsdb_head_series_created_total',
    'Total number of series created in the head',
    () => db.stats().seriesCreated,
  )
  counter(
    'prometheus_tsdb_head_series_removed_total',
    'Total number of series removed in the head',
    () => db.stats().seriesRemoved,
  )
  new Counter({
    name: 'prometheus_tsdb_head_samples_appended_total',
    help: 'Total number of appended samples.',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset()
      this.inc({ type: 'float' }, db.stats().samplesAppended)
    },
  })
  gauge(
    'narthex_head_generations',
    'Number of generations that the head consists of.',
    () => db.stats().generations,
  )
  gauge('narthex_head_bytes', 'Bytes of shared memory that the head uses.', () => db.stats().usedBytes)
  counter(
    'narthex_wal_written_bytes_total',
    'Bytes of records written to the write-ahead log.',
    () => db.stats().logBytesWritten,
  )
}

/** Upstream shows 0 where the head is empty. */
function zeroIfNone(time: number): number {
  return Number.isNaN(time) ? 0 : time
}
