/** The storage's metrics, under the names of Prometheus' own storage where it has one. */
import { Counter, Gauge, type Registry, Summary } from 'prom-client'
import type { DamageNote } from '../../storage/damage.ts'
import type { Database } from '../../storage/db.ts'
import { StorageError } from '../../storage/errors.ts'

/** What the storage says while it runs, beside its statistics. */
export class StorageMetrics {
  private readonly corruptions: Counter
  private readonly writeFailures: Counter
  private readonly upkeepFailures: Counter
  private readonly damage: Counter
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
    this.upkeepFailures = new Counter({
      name: 'prometheus_tsdb_compactions_failed_total',
      help: 'Total number of compactions that failed for the partition.',
      registers,
    })
    this.damage = new Counter({
      name: 'narthex_storage_damage_total',
      help: 'Pages, blocks and parts of the log that were found damaged.',
      labelNames: ['part'],
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

  countFailure(error: Error): void {
    if (error instanceof StorageError && error.code === 'WRITE_FAILED') this.writeFailures.inc()
    else this.upkeepFailures.inc()
  }

  countDamage({ place }: DamageNote): void {
    if (place === 'wal') this.corruptions.inc()
    this.damage.inc({ part: place.split('/')[0] })
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
  gauge('prometheus_tsdb_blocks_loaded', 'Number of currently loaded data blocks', () => db.stats().blocks)
  gauge(
    'prometheus_tsdb_storage_blocks_bytes',
    'The number of bytes that are currently used for local storage by all blocks.',
    () => db.stats().blockBytes,
  )
  gauge(
    'prometheus_tsdb_retention_limit_bytes',
    'Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled',
    () => db.retention.sizeBytes,
  )
  gauge(
    'prometheus_tsdb_retention_limit_seconds',
    'How long to retain samples in storage.',
    () => db.retention.timeMs / 1000,
  )
  counter(
    'prometheus_tsdb_time_retentions_total',
    'The number of times that blocks were deleted because the maximum time limit was exceeded.',
    () => db.stats().droppedByTime,
  )
  counter(
    'prometheus_tsdb_size_retentions_total',
    'The number of times that blocks were deleted because the maximum number of bytes was exceeded.',
    () => db.stats().droppedBySize,
  )
  counter(
    'prometheus_tsdb_compactions_total',
    'Total number of compactions that were executed for the partition.',
    () => db.stats().written + db.stats().merged,
  )
  counter(
    'prometheus_tsdb_head_out_of_order_samples_appended_total',
    'Total number of appended out of order samples.',
    () => db.stats().lateAppended,
  )
  gauge(
    'narthex_memory_bytes',
    'Anonymous and shared memory of the process, without what is free in the slab.',
    () => db.memoryState.usedBytes,
  )
  gauge(
    'narthex_memory_limit_bytes',
    'Memory beyond which no new series are taken; 0 is no limit.',
    () => db.memoryState.limitBytes,
  )
  gauge(
    'narthex_disk_free_bytes',
    'Free bytes of the disk, without what the ballast needs.',
    () => db.diskState.freeBytes,
  )
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
      const { samplesAppended, histogramsAppended } = db.stats()
      this.inc({ type: 'float' }, samplesAppended - histogramsAppended)
      this.inc({ type: 'histogram' }, histogramsAppended)
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
