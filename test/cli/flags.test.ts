// Goal: the command line means what it means to Prometheus 3.14. Method: tables of arguments with the value or
// the exact error that upstream's binary gives, and the whole map of /status/flags.
import { describe, expect, it } from 'vitest'
import { FLAG_SPECS } from '../../src/cli/flag-table.ts'
import { FlagError, parseFlags } from '../../src/cli/flags.ts'
import { helpText } from '../../src/cli/help.ts'

function failure(...argv: string[]): FlagError {
  try {
    parseFlags(argv)
  } catch (error) {
    if (error instanceof FlagError) return error
    throw error
  }
  throw new Error(`accepted: ${argv.join(' ')}`)
}

const printed = [
  { argv: ['--config.file=a.yml'], flag: 'config.file', want: 'a.yml' },
  { argv: ['--config.file', 'a.yml'], flag: 'config.file', want: 'a.yml' },
  { argv: ['--config.file='], flag: 'config.file', want: '' },
  { argv: ['--web.page-title=a=b'], flag: 'web.page-title', want: 'a=b' },
  { argv: ['--web.enable-lifecycle'], flag: 'web.enable-lifecycle', want: 'true' },
  { argv: ['--no-web.enable-lifecycle'], flag: 'web.enable-lifecycle', want: 'false' },
  { argv: ['--no-scrape.adjust-timestamps'], flag: 'scrape.adjust-timestamps', want: 'false' },
  { argv: ['--query.timeout=90s'], flag: 'query.timeout', want: '1m30s' },
  { argv: ['--query.timeout', '5m'], flag: 'query.timeout', want: '5m' },
  { argv: ['--query.max-samples=5e7'], flag: 'query.max-samples', want: '50000000' },
  { argv: ['--query.max-samples=4.7'], flag: 'query.max-samples', want: '4' },
  { argv: ['--query.max-samples=1_000'], flag: 'query.max-samples', want: '1000' },
  { argv: ['--query.max-samples=0x1p10'], flag: 'query.max-samples', want: '1024' },
  { argv: ['--storage.tsdb.retention.size=512MB'], flag: 'storage.tsdb.retention.size', want: '512MiB' },
  { argv: ['--storage.tsdb.retention.size=1.5GiB'], flag: 'storage.tsdb.retention.size', want: '1GiB512MiB' },
  { argv: ['--scrape.timestamp-tolerance=0.01s'], flag: 'scrape.timestamp-tolerance', want: '10ms' },
  { argv: ['--log.level=WARN'], flag: 'log.level', want: 'warn' },
  {
    argv: ['--web.listen-address=:1', '--web.listen-address', '[::1]:2'],
    flag: 'web.listen-address',
    want: ':1,[::1]:2',
  },
  { argv: ['--enable-feature=a,b', '--enable-feature=c'], flag: 'enable-feature', want: 'a,b,c' },
  {
    argv: ['--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest'],
    flag: 'web.remote-write-receiver.accepted-protobuf-messages',
    want: 'prometheus.WriteRequest',
  },
]

const PREFIX = 'Error parsing command line arguments: '

const refused = [
  { argv: ['--bogus'], code: 1, text: `${PREFIX}unknown long flag '--bogus'` },
  {
    argv: ['--web.enable-lifecycel'],
    code: 1,
    text: `${PREFIX}unknown long flag '--web.enable-lifecycel', did you mean '--web.enable-lifecycle'?`,
  },
  {
    argv: ['--no-web.enable-lifecycel'],
    code: 1,
    text: `${PREFIX}unknown long flag '--no-web.enable-lifecycel', did you mean '--no-web.enable-lifecycle'?`,
  },
  {
    argv: ['--storage.tsdb.allow-overlapping-blocks'],
    code: 1,
    text: `${PREFIX}unknown long flag '--storage.tsdb.allow-overlapping-blocks', did you mean '--storage.tsdb.allow-overlapping-compaction'?`,
  },
  {
    argv: ['--no-query.timeout'],
    code: 1,
    text: `${PREFIX}unknown long flag '--no-query.timeout', did you mean '--query.timeout'?`,
  },
  { argv: ['-x'], code: 1, text: `${PREFIX}unknown short flag '-x'` },
  { argv: ['-'], code: 1, text: `${PREFIX}unknown short flag '-'` },
  { argv: ['foo'], code: 1, text: `${PREFIX}unexpected foo` },
  { argv: ['--', 'foo'], code: 1, text: `${PREFIX}unexpected foo` },
  { argv: ['--web.enable-lifecycle=true'], code: 1, text: `${PREFIX}unexpected true` },
  { argv: ['--web.enable-lifecycle', 'true'], code: 1, text: `${PREFIX}unexpected true` },
  { argv: ['--query.timeout'], code: 1, text: `${PREFIX}expected argument for flag '--query.timeout'` },
  {
    argv: ['--query.timeout', '--agent'],
    code: 1,
    text: `${PREFIX}expected argument for flag '--query.timeout'`,
  },
  {
    argv: ['--query.timeout=1m', '--query.timeout=2m'],
    code: 2,
    text: `${PREFIX}flag 'query.timeout' cannot be repeated`,
  },
  {
    argv: ['--query.timeout=5x'],
    code: 2,
    text: `${PREFIX}not a valid duration string: "5x", in --query.timeout`,
  },
  { argv: ['--query.timeout='], code: 2, text: `${PREFIX}empty duration string, in --query.timeout` },
  { argv: ['--query.timeout=0s'], code: 2, text: `${PREFIX}--query.timeout must be greater than 0` },
  {
    argv: ['--query.max-samples=x'],
    code: 2,
    text: `${PREFIX}strconv.ParseFloat: parsing "x": invalid syntax, in --query.max-samples`,
  },
  {
    argv: ['--query.max-samples=1e999'],
    code: 2,
    text: `${PREFIX}strconv.ParseFloat: parsing "1e999": value out of range, in --query.max-samples`,
  },
  {
    argv: ['--query.max-samples=Inf'],
    code: 2,
    text: `${PREFIX}"Inf" is not a whole number, in --query.max-samples`,
  },
  {
    argv: ['--storage.tsdb.retention.size=5'],
    code: 2,
    text: `${PREFIX}units: unknown unit  in 5, in --storage.tsdb.retention.size`,
  },
  {
    argv: ['--scrape.timestamp-tolerance=4'],
    code: 2,
    text: `${PREFIX}time: missing unit in duration "4", in --scrape.timestamp-tolerance`,
  },
  { argv: ['--log.level=foo'], code: 2, text: `${PREFIX}unrecognized log level foo, in --log.level` },
  { argv: ['--log.format=foo'], code: 2, text: `${PREFIX}unrecognized log format foo, in --log.format` },
  {
    argv: ['--storage.tsdb.wal-compression-type=lz4'],
    code: 2,
    text: `${PREFIX}enum value must be one of snappy,zstd, got 'lz4', in --storage.tsdb.wal-compression-type`,
  },
  {
    argv: ['--storage.agent.path=x'],
    code: 3,
    text: 'The following flag(s) can only be used in agent mode: ["--storage.agent.path"]',
  },
  {
    argv: ['--agent', '--storage.tsdb.path=x', '--query.timeout=1m'],
    code: 3,
    text: 'The following flag(s) can not be used in agent mode: ["--storage.tsdb.path" "--query.timeout"]',
  },
  { argv: ['--agent'], code: 1, text: '--agent is refused: this version runs as a server only' },
  {
    argv: ['--web.config.file=web.yml'],
    code: 1,
    text: '--web.config.file is refused: this version serves neither TLS nor authentication, and would leave open what the file is meant to close',
  },
  {
    argv: ['--auto-gomemlimit.ratio=2'],
    code: 1,
    text: '--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.',
  },
  {
    argv: ['--web.listen-address=foo'],
    code: 2,
    text: '--web.listen-address: address foo: missing port in address',
  },
  {
    argv: ['--web.cors.origin=('],
    code: 2,
    text: 'could not compile CORS regex string "(": error parsing regexp: missing closing ): `^(?s:()$`',
  },
]

describe('parseFlags', () => {
  it.each(printed)('$argv prints $want', ({ argv, flag, want }) => {
    expect(parseFlags(argv).asMap()[flag]).toBe(want)
  })

  it.each(refused)('$argv is refused', ({ argv, code, text }) => {
    const error = failure(...argv)
    expect(error.message).toBe(text)
    expect(error.exitCode).toBe(code)
  })

  it('types what the server uses', () => {
    const flags = parseFlags([
      '--config.file=x.yml',
      '--storage.memory-limit=2GB',
      '--web.read-timeout=1m',
      '--query.lookback-delta=0',
      '--config.skip-unsupported',
    ])
    expect(flags).toMatchObject({
      show: undefined,
      configFile: 'x.yml',
      isConfigFileGiven: true,
      skipUnsupported: true,
      listenAddresses: ['0.0.0.0:9090'],
      readTimeoutMs: 60_000,
      memoryLimitBytes: 2 * 1024 ** 3,
      lookbackMs: 300_000,
      timestampToleranceMs: 2,
      corsOrigin: '.*',
      warnings: [],
    })
  })

  it('accepts every flag of the table with its own default, and warns once about each that does nothing', () => {
    const usable = FLAG_SPECS.filter(({ mode, name }) => mode !== 'agent' && name !== 'agent')
    const argv = usable.map(({ kind, name, initial }) => {
      if (kind === 'bool') return initial === 'true' ? `--${name}` : `--no-${name}`
      return `--${name}=${(initial ?? '0').split(',')[0]}`
    })
    const flags = parseFlags(argv)
    const warned = flags.warnings.map(({ fields }) => fields.flag)
    expect(warned.sort()).toEqual(
      usable
        .filter(({ isEffective }) => !isEffective)
        .map(({ name }) => `--${name}`)
        .sort(),
    )
    expect(new Set(flags.warnings.map(({ message }) => message))).toEqual(
      new Set(['Flag accepted, no effect yet']),
    )
  })

  it('lists all flags for status/flags, hidden ones too, as upstream prints them', () => {
    const map = parseFlags([]).asMap()
    expect(Object.keys(map)).toEqual([...FLAG_SPECS.map(({ name }) => name)].sort())
    expect(map).not.toHaveProperty('help')
    expect(map).not.toHaveProperty('version')
    expect(map).toMatchObject({
      'alertmanager.notification-queue-capacity': '10000',
      'auto-gomemlimit.ratio': '0.9',
      'config.file': 'prometheus.yml',
      'enable-feature': '',
      'scrape.adjust-timestamps': 'true',
      'scrape.timestamp-tolerance': '2ms',
      'storage.agent.retention.max-time': '0s',
      'storage.remote.read-sample-limit': '50000000',
      'storage.tsdb.max-block-chunk-segment-size': '0B',
      'storage.tsdb.max-block-duration': '1d12h',
      'storage.tsdb.retention.size': '0B',
      'storage.tsdb.retention.time': '15d',
      'web.external-url': '',
      'web.listen-address': '0.0.0.0:9090',
      'web.remote-write-receiver.accepted-protobuf-messages':
        'prometheus.WriteRequest, io.prometheus.write.v2.Request',
    })
  })

  it('sorts features into those it has, those to come, and those nobody knows', () => {
    const flags = parseFlags([
      '--enable-feature=promql-experimental-functions,exemplar-storage',
      '--enable-feature=native-histograms,,promql-per-step-stat',
    ])
    expect([...flags.features]).toEqual(['promql-experimental-functions'])
    expect(flags.warnings).toEqual([
      {
        message: 'Option for --enable-feature accepted, no effect yet',
        fields: { option: 'exemplar-storage' },
      },
      { message: 'This option for --enable-feature is a no-op', fields: { option: 'native-histograms' } },
      {
        message: 'Unknown option for --enable-feature',
        fields: { option: 'promql-per-step-stat', nearest: 'promql-per-step-stats' },
      },
    ])
  })

  it.each(['-h', '--help', '--help-long'])('%s asks for help, whatever else is there', (argument) => {
    expect(parseFlags([argument, '--agent']).show).toBe('help')
  })

  it('--version asks for the version', () => {
    expect(parseFlags(['--version']).show).toBe('version')
  })
})

describe('helpText', () => {
  it('groups every visible flag and hides the rest', () => {
    const text = helpText()
    for (const { name, isHidden, group } of FLAG_SPECS) {
      expect(text.includes(`${name}=`) || text.includes(`--[no-]${name}\n`), name).toBe(!isHidden)
      if (!isHidden) expect(text).toContain(`\n${group}:\n`)
    }
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })
})
