/**
 * Every command line flag: those of Prometheus 3.14, hidden ones too, and our own. What a flag does is not
 * here but where its value is used; this is what is typed, checked, printed and helped with.
 */

export type FlagKind =
  | 'string'
  | 'bool'
  /** A number as Go's ParseFloat reads it, cut to an integer: `5e7` is legal. */
  | 'int'
  | 'float'
  /** As in the configuration: `1h30m`. */
  | 'duration'
  /** Go's own: `1.5s`, `2ms`. */
  | 'go-duration'
  | 'bytes'
  | 'enum'
  | 'level'
  | 'format'

export type FlagMode = 'both' | 'server' | 'agent'

export interface FlagSpec {
  name: string
  kind: FlagKind
  /** As written on a command line; undefined means none, which prints as the kind's zero. */
  initial: string | undefined
  help: string
  group: FlagGroup
  mode: FlagMode
  /** Whether this version does anything with it. */
  isEffective: boolean
  isHidden: boolean
  isRepeatable: boolean
  values?: readonly string[]
}

export type FlagGroup =
  | 'Configuration'
  | 'Web'
  | 'Storage'
  | 'Storage in agent mode'
  | 'Remote storage'
  | 'Rules and alerts'
  | 'Queries'
  | 'Scraping'
  | 'Process'
  | 'Logging'

type Extra = Partial<Pick<FlagSpec, 'mode' | 'isEffective' | 'isHidden' | 'isRepeatable' | 'values'>>

const EFFECTIVE: Extra = { isEffective: true }
const SERVER: Extra = { mode: 'server' }
const AGENT: Extra = { mode: 'agent' }
const HIDDEN: Extra = { isHidden: true }

type Row = readonly [
  name: string,
  kind: FlagKind,
  initial: string | undefined,
  help: string,
  ...extra: Extra[],
]

const LOG_LEVELS = ['debug', 'info', 'warn', 'error']
const LOG_FORMATS = ['logfmt', 'json']

const ROWS: Readonly<Record<FlagGroup, readonly Row[]>> = {
  Configuration: [
    ['config.file', 'string', 'prometheus.yml', 'Path of the configuration file.', EFFECTIVE],
    ['config.auto-reload', 'bool', 'false', 'Reload when the configuration file changes.'],
    ['config.auto-reload-interval', 'duration', '30s', 'How often to look for such changes.'],
    [
      'config.skip-unsupported',
      'bool',
      'false',
      'Start although the configuration has sections that this version does not support; they are skipped, with a warning and a metric for each.',
      EFFECTIVE,
    ],
  ],
  Web: [
    [
      'web.listen-address',
      'string',
      '0.0.0.0:9090',
      'Address to listen on for pages, API and own metrics.',
      EFFECTIVE,
      { isRepeatable: true },
    ],
    [
      'web.config.file',
      'string',
      '',
      'File with TLS and authentication settings; refused in this version.',
      EFFECTIVE,
    ],
    ['web.read-timeout', 'duration', '5m', 'How long reading a request may take.', EFFECTIVE],
    ['web.max-connections', 'int', '512', 'Most connections open at once, over all addresses.', EFFECTIVE],
    ['web.max-notifications-subscribers', 'int', '16', 'Most clients of live notifications at once.'],
    ['web.search.max-limit', 'int', '10000', 'Largest limit that a request to the search API may set.'],
    ['web.external-url', 'string', '', 'URL under which the server is reached from outside.'],
    ['web.route-prefix', 'string', '', 'Prefix of all routes; the path of --web.external-url by default.'],
    ['web.user-assets', 'string', '', 'Folder of static files that are served under /user.'],
    ['web.enable-lifecycle', 'bool', 'false', 'Allow reload and shutdown by HTTP request.', EFFECTIVE],
    ['web.enable-admin-api', 'bool', 'false', 'Allow administrative actions by HTTP request.', EFFECTIVE],
    ['web.enable-remote-write-receiver', 'bool', 'false', 'Take samples by remote write requests.'],
    [
      'web.remote-write-receiver.accepted-protobuf-messages',
      'enum',
      'prometheus.WriteRequest,io.prometheus.write.v2.Request',
      'Messages to take by remote write.',
      { isRepeatable: true, values: ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] },
    ],
    ['web.enable-otlp-receiver', 'bool', 'false', 'Take samples by OTLP requests.'],
    ['web.console.templates', 'string', 'consoles', 'Folder of console templates.'],
    ['web.console.libraries', 'string', 'console_libraries', 'Folder of console libraries.'],
    [
      'web.page-title',
      'string',
      'Prometheus Time Series Collection and Processing Server',
      'Title of the web page.',
    ],
    [
      'web.cors.origin',
      'string',
      '.*',
      'Regular expression of origins that may read the API from a browser; fully anchored.',
      EFFECTIVE,
    ],
  ],
  Storage: [
    ['storage.tsdb.path', 'string', 'data/', 'Folder of the samples.', SERVER, EFFECTIVE],
    [
      'storage.memory-limit',
      'bytes',
      '0B',
      'Memory beyond which no new series are taken, with a unit, such as 2GB; 0 chooses by the container or the machine.',
      SERVER,
      EFFECTIVE,
    ],
    [
      'storage.head-cut-span',
      'duration',
      '10m',
      'How much time the newest samples span in memory before they are written out as a block.',
      SERVER,
      EFFECTIVE,
    ],
    ['storage.tsdb.retention.time', 'duration', '15d', 'How long to keep samples.', SERVER, EFFECTIVE],
    ['storage.tsdb.retention.size', 'bytes', undefined, 'Most bytes to keep on disk.', SERVER, EFFECTIVE],
    ['storage.tsdb.no-lockfile', 'bool', 'false', 'Do not lock the folder.', SERVER, EFFECTIVE],
    ['storage.tsdb.head-chunks-write-queue-size', 'int', '0', 'Queue before writing head chunks.', SERVER],
    ['storage.tsdb.delay-compact-file.path', 'string', '', 'File that lists uploaded blocks.', SERVER],
    ['storage.tsdb.min-block-duration', 'duration', '2h', 'Shortest span of a block.', SERVER, HIDDEN],
    ['storage.tsdb.max-block-duration', 'duration', '1d12h', 'Longest span of a block.', SERVER, HIDDEN],
    ['storage.tsdb.max-block-chunk-segment-size', 'bytes', undefined, 'Size of a segment.', SERVER, HIDDEN],
    ['storage.tsdb.wal-segment-size', 'bytes', undefined, 'Size of a WAL segment.', SERVER, HIDDEN],
    ['storage.tsdb.wal-compression', 'bool', 'true', 'Compress the WAL.', SERVER, HIDDEN],
    [
      'storage.tsdb.wal-compression-type',
      'enum',
      'snappy',
      'How to compress the WAL.',
      SERVER,
      HIDDEN,
      { values: ['snappy', 'zstd'] },
    ],
    ['storage.tsdb.samples-per-chunk', 'int', '120', 'Samples in a chunk.', SERVER, HIDDEN],
    ['storage.tsdb.block-reload-interval', 'duration', '1m', 'How often to look for blocks.', SERVER, HIDDEN],
    [
      'storage.tsdb.allow-overlapping-compaction',
      'bool',
      'true',
      'Merge overlapping blocks.',
      SERVER,
      HIDDEN,
    ],
    [
      'storage.tsdb.delayed-compaction.max-percent',
      'int',
      '10',
      'Longest random delay of a compaction.',
      SERVER,
      HIDDEN,
    ],
  ],
  'Storage in agent mode': [
    ['storage.agent.path', 'string', 'data-agent/', 'Folder of the samples.', AGENT],
    ['storage.agent.wal-compression', 'bool', 'true', 'Compress the WAL.', AGENT],
    [
      'storage.agent.wal-compression-type',
      'enum',
      'snappy',
      'How to compress the WAL.',
      AGENT,
      HIDDEN,
      { values: ['snappy', 'zstd'] },
    ],
    ['storage.agent.wal-segment-size', 'bytes', undefined, 'Size of a WAL segment.', AGENT, HIDDEN],
    ['storage.agent.wal-truncate-frequency', 'duration', undefined, 'How often to cut it.', AGENT, HIDDEN],
    ['storage.agent.checkpoint-from-in-memory-series', 'bool', 'false', 'Checkpoint from memory.', AGENT],
    ['storage.agent.checkpoint-batch-size', 'int', '1000', 'Series written at once to a checkpoint.', AGENT],
    ['storage.agent.retention.min-time', 'duration', undefined, 'Age at which samples may go.', AGENT],
    ['storage.agent.retention.max-time', 'duration', undefined, 'Age at which samples must go.', AGENT],
    ['storage.agent.no-lockfile', 'bool', 'false', 'Do not lock the folder.', AGENT],
  ],
  'Remote storage': [
    ['storage.remote.flush-deadline', 'duration', '1m', 'How long to flush at a stop or a reload.'],
    ['storage.remote.read-sample-limit', 'int', '5e7', 'Most samples of one remote read.', SERVER],
    ['storage.remote.read-concurrent-limit', 'int', '10', 'Most remote reads at once.', SERVER],
    ['storage.remote.read-max-bytes-in-frame', 'int', '1048576', 'Most bytes of a frame.', SERVER],
  ],
  'Rules and alerts': [
    ['rules.alert.for-outage-tolerance', 'duration', '1h', 'Longest outage to restore alerts after.', SERVER],
    ['rules.alert.for-grace-period', 'duration', '10m', 'Shortest wait of a restored alert.', SERVER],
    ['rules.alert.resend-delay', 'duration', '1m', 'Wait before an alert is sent again.', SERVER],
    ['rules.max-concurrent-evals', 'int', '4', 'Most rules evaluated at once.', SERVER],
    ['alertmanager.notification-queue-capacity', 'int', '10000', 'Most pending notifications.', SERVER],
    ['alertmanager.notification-batch-size', 'int', '256', 'Most notifications in a request.', SERVER],
    [
      'alertmanager.drain-notification-queue-on-shutdown',
      'bool',
      'true',
      'Send what is pending at a stop.',
      SERVER,
    ],
  ],
  Queries: [
    ['query.lookback-delta', 'duration', '5m', 'How old a sample may be to count as now.', SERVER, EFFECTIVE],
    ['query.timeout', 'duration', '2m', 'Longest time a query may take.', SERVER, EFFECTIVE],
    ['query.max-concurrency', 'int', '20', 'Most queries at once.', SERVER, EFFECTIVE],
    ['query.max-samples', 'int', '50000000', 'Most samples in memory for one query.', SERVER, EFFECTIVE],
    [
      'query.memory-limit',
      'bytes',
      '0B',
      'Memory that all queries may have together, with a unit, such as 512MB; 0 takes a quarter of --storage.memory-limit.',
      SERVER,
      EFFECTIVE,
    ],
  ],
  Scraping: [
    ['scrape.adjust-timestamps', 'bool', 'true', 'Snap timestamps to the schedule.', HIDDEN, EFFECTIVE],
    ['scrape.timestamp-tolerance', 'go-duration', '2ms', 'How far to snap them.', HIDDEN, EFFECTIVE],
    ['scrape.discovery-reload-interval', 'duration', '5s', 'Shortest time between two syncs.', HIDDEN],
  ],
  Process: [
    ['enable-feature', 'string', '', 'Comma-separated names of features.', EFFECTIVE, { isRepeatable: true }],
    ['agent', 'bool', 'false', 'Run as an agent; refused in this version.', EFFECTIVE],
    ['auto-gomaxprocs', 'bool', 'true', 'For the Go runtime; there is none here.'],
    ['auto-gomemlimit', 'bool', 'true', 'For the Go runtime; there is none here.'],
    ['auto-gomemlimit.ratio', 'float', '0.9', 'For the Go runtime; there is none here.'],
    ['auto-gomemlimit.refresh-interval', 'duration', '0s', 'For the Go runtime; there is none here.'],
  ],
  Logging: [
    ['log.level', 'level', 'info', 'Lowest severity to log.', EFFECTIVE, { values: LOG_LEVELS }],
    ['log.format', 'format', 'logfmt', 'Form of log lines.', EFFECTIVE, { values: LOG_FORMATS }],
  ],
}

function spec(group: FlagGroup, [name, kind, initial, help, ...extra]: Row): FlagSpec {
  const plain: FlagSpec = {
    name,
    kind,
    initial,
    help,
    group,
    mode: 'both',
    isEffective: false,
    isHidden: false,
    isRepeatable: false,
  }
  return Object.assign(plain, ...extra) as FlagSpec
}

/** In the order of the help text. */
export const FLAG_SPECS: readonly FlagSpec[] = Object.entries(ROWS).flatMap(([group, rows]) =>
  rows.map((row) => spec(group as FlagGroup, row)),
)
