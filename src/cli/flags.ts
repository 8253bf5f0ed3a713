/**
 * The command line: `--name=value`, `--name value`, `--name` and `--no-name` for booleans, as upstream's
 * kingpin reads it. Every flag of Prometheus 3.14 is accepted, so that existing command lines start; those
 * that do nothing yet are warned about.
 */

import { compileWrappedRegex } from '../../storage/model/regex.ts'
import { nearestName } from '../config/nearest.ts'
import type { LogFormat, LogLevel } from '../telemetry/log.ts'
import { quoteGo } from '../telemetry/quote.ts'
import { FEATURE_NAMES, featureState } from './features.ts'
import { FLAG_SPECS, type FlagSpec } from './flag-table.ts'
import { type FlagValue, parseFlagValue, printFlagValue, zeroFlagValue } from './flag-value.ts'

/** A command line that the server does not start with. The message is a whole sentence for stderr. */
export class FlagError extends Error {
  /** 1 for what cannot be parsed, 2 for a bad value, 3 for flags of the other mode, as upstream. */
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.name = 'FlagError'
    this.exitCode = exitCode
  }
}

/** Something about the command line that is worth a line in the log once it is open. */
export interface FlagWarning {
  message: string
  /** Further keys of the log line. */
  fields: Readonly<Record<string, string>>
}

/** Durations in milliseconds, sizes in bytes; 0 as upstream means it. */
export interface Flags {
  /** Set when the caller only asked for this text; the rest is then not checked further. */
  show: 'help' | 'version' | undefined
  configFile: string
  /** False when the name is only the default, which need not exist. */
  isConfigFileGiven: boolean
  skipUnsupported: boolean
  /** At least one, `host:port`. */
  listenAddresses: readonly string[]
  readTimeoutMs: number
  maxConnections: number
  enableLifecycle: boolean
  enableAdminApi: boolean
  pageTitle: string
  /** An RE2 pattern that compiles; to be anchored. */
  corsOrigin: string
  externalUrl: string
  routePrefix: string
  storagePath: string
  noLockfile: boolean
  /** 0 is no bound; the configuration file goes before both. */
  retentionTimeMs: number
  retentionSizeBytes: number
  /** 0 chooses by the container or the machine. */
  memoryLimitBytes: number
  headCutSpanMs: number
  lookbackMs: number
  queryTimeoutMs: number
  queryMaxConcurrency: number
  queryMaxSamples: number
  /** 0: by the memory limit of the whole server. */
  queryMemoryLimitBytes: number
  adjustTimestamps: boolean
  timestampToleranceMs: number
  /** Names given to --enable-feature that this version has. */
  features: ReadonlySet<string>
  logLevel: LogLevel
  logFormat: LogFormat
  warnings: readonly FlagWarning[]
  /** All flags, hidden ones too, without help and version, as /status/flags prints them. */
  asMap(): Record<string, string>
}

interface Given {
  values: Map<string, FlagValue[]>
  show: 'help' | 'version' | undefined
}

const SPECS = new Map(FLAG_SPECS.map((spec) => [spec.name, spec]))
const DEFAULT_LOOKBACK_MS = 300_000
const PARSE_PREFIX = 'Error parsing command line arguments: '

/** argv without the program's name. Throws FlagError. */
export function parseFlags(argv: readonly string[]): Flags {
  const given = readArguments(argv)
  const values = new Map<string, FlagValue[]>()
  for (const spec of FLAG_SPECS) values.set(spec.name, given.values.get(spec.name) ?? initialValues(spec))
  const flags = typedFlags(values, given)
  if (given.show === undefined) checkTogether(flags, given)
  return flags
}

function typedFlags(values: ReadonlyMap<string, FlagValue[]>, given: Given): Flags {
  const text = (name: string) => values.get(name)![0] as string
  const number = (name: string) => values.get(name)![0] as number
  const bool = (name: string) => values.get(name)![0] as boolean
  const featureNames = (values.get('enable-feature') as string[]).flatMap((list) => list.split(','))
  return {
    show: given.show,
    configFile: text('config.file'),
    isConfigFileGiven: given.values.has('config.file'),
    skipUnsupported: bool('config.skip-unsupported'),
    listenAddresses: values.get('web.listen-address') as string[],
    readTimeoutMs: number('web.read-timeout'),
    maxConnections: number('web.max-connections'),
    enableLifecycle: bool('web.enable-lifecycle'),
    enableAdminApi: bool('web.enable-admin-api'),
    pageTitle: text('web.page-title'),
    corsOrigin: text('web.cors.origin'),
    externalUrl: text('web.external-url'),
    routePrefix: text('web.route-prefix'),
    storagePath: text('storage.tsdb.path'),
    noLockfile: bool('storage.tsdb.no-lockfile'),
    retentionTimeMs: number('storage.tsdb.retention.time'),
    retentionSizeBytes: number('storage.tsdb.retention.size'),
    memoryLimitBytes: number('storage.memory-limit'),
    headCutSpanMs: number('storage.head-cut-span'),
    // Upstream's engine takes 0 for its default.
    lookbackMs: number('query.lookback-delta') || DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: number('query.timeout'),
    queryMaxConcurrency: number('query.max-concurrency'),
    queryMaxSamples: number('query.max-samples'),
    queryMemoryLimitBytes: number('query.memory-limit'),
    adjustTimestamps: bool('scrape.adjust-timestamps'),
    timestampToleranceMs: number('scrape.timestamp-tolerance'),
    features: new Set(featureNames.filter((name) => featureState(name) === 'built')),
    logLevel: text('log.level') as LogLevel,
    logFormat: text('log.format') as LogFormat,
    warnings: warningsFor(given, featureNames),
    asMap: () => printAll(values),
  }
}

function printAll(values: ReadonlyMap<string, FlagValue[]>): Record<string, string> {
  const printed: [string, string][] = []
  for (const spec of FLAG_SPECS) {
    const separator = spec.kind === 'enum' ? ', ' : ','
    const texts = values.get(spec.name)!.map((value) => printFlagValue(spec, value))
    printed.push([spec.name, texts.join(separator)])
  }
  return Object.fromEntries(printed.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function initialValues(spec: FlagSpec): FlagValue[] {
  if (spec.initial === undefined) return [zeroFlagValue(spec)]
  const texts = spec.kind === 'enum' && spec.isRepeatable ? spec.initial.split(',') : [spec.initial]
  return texts.map((text) => parseFlagValue(spec, text))
}

function readArguments(argv: readonly string[]): Given {
  const given: Given = { values: new Map(), show: undefined }
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]
    if (argument === '--help' || argument === '-h' || argument === '--help-long') given.show ??= 'help'
    else if (argument === '--version') given.show ??= 'version'
    else if (argument === '--') {
      if (i + 1 < argv.length) throw new FlagError(`${PARSE_PREFIX}unexpected ${argv[i + 1]}`, 1)
    } else if (argument.startsWith('--')) i += readLongFlag(given, argument.slice(2), argv[i + 1])
    else if (argument.startsWith('-')) {
      throw new FlagError(`${PARSE_PREFIX}unknown short flag '${argument.slice(0, 2)}'`, 1)
    } else throw new FlagError(`${PARSE_PREFIX}unexpected ${argument}`, 1)
  }
  return given
}

/** Returns how many further arguments belong to the flag. */
function readLongFlag(given: Given, argument: string, next: string | undefined): 0 | 1 {
  const equals = argument.indexOf('=')
  const name = equals < 0 ? argument : argument.slice(0, equals)
  let text = equals < 0 ? undefined : argument.slice(equals + 1)
  const negated = name.startsWith('no-') ? SPECS.get(name.slice('no-'.length)) : undefined
  const spec = SPECS.get(name) ?? (negated?.kind === 'bool' ? negated : undefined)
  if (spec === undefined)
    throw new FlagError(`${PARSE_PREFIX}unknown long flag '--${name}'${suggestion(name)}`, 1)
  if (spec.kind === 'bool') {
    if (text !== undefined) throw new FlagError(`${PARSE_PREFIX}unexpected ${text}`, 1)
    addValue(given, spec, spec.name === name)
    return 0
  }
  const takesNext = text === undefined
  if (takesNext) {
    if (next === undefined || next.startsWith('-')) {
      throw new FlagError(`${PARSE_PREFIX}expected argument for flag '--${name}'`, 1)
    }
    text = next
  }
  try {
    addValue(given, spec, parseFlagValue(spec, text!))
  } catch (error) {
    if (error instanceof FlagError) throw error
    throw new FlagError(`${PARSE_PREFIX}${(error as Error).message}, in --${name}`, 2)
  }
  return takesNext ? 1 : 0
}

function addValue(given: Given, spec: FlagSpec, value: FlagValue): void {
  const before = given.values.get(spec.name)
  if (before === undefined) given.values.set(spec.name, [value])
  else if (spec.isRepeatable) before.push(value)
  else throw new FlagError(`${PARSE_PREFIX}flag '${spec.name}' cannot be repeated`, 2)
}

function suggestion(name: string): string {
  const candidates = ['help', 'version', ...SPECS.keys()]
  const isNegated = name.startsWith('no-')
  const near = nearestName(isNegated ? name.slice('no-'.length) : name, candidates)
  if (near === undefined) return ''
  return `, did you mean '--${isNegated && SPECS.get(near)?.kind === 'bool' ? 'no-' : ''}${near}'?`
}

function warningsFor(given: Given, featureNames: readonly string[]): FlagWarning[] {
  const warnings: FlagWarning[] = []
  for (const name of given.values.keys()) {
    if (SPECS.get(name)!.isEffective) continue
    warnings.push({ message: 'Flag accepted, no effect yet', fields: { flag: `--${name}` } })
  }
  for (const option of new Set(featureNames)) {
    if (option === '') continue
    const state = featureState(option)
    if (state === 'not-yet') {
      warnings.push({ message: 'Option for --enable-feature accepted, no effect yet', fields: { option } })
    } else if (state === 'no-op') {
      warnings.push({ message: 'This option for --enable-feature is a no-op', fields: { option } })
    } else if (state === undefined) {
      const near = nearestName(option, FEATURE_NAMES)
      const fields: Record<string, string> = near === undefined ? { option } : { option, nearest: near }
      warnings.push({ message: 'Unknown option for --enable-feature', fields })
    }
  }
  return warnings
}

/** What a single value cannot tell. In upstream's order, with its texts and exit codes. */
function checkTogether(flags: Flags, given: Given): void {
  const agent = given.values.get('agent')?.[0] === true
  const otherMode = [...given.values.keys()].filter(
    (name) => SPECS.get(name)!.mode === (agent ? 'server' : 'agent'),
  )
  if (otherMode.length > 0) {
    const list = otherMode.map((name) => quoteGo(`--${name}`)).join(' ')
    const where = agent ? 'can not be used in agent mode' : 'can only be used in agent mode'
    throw new FlagError(`The following flag(s) ${where}: [${list}]`, 3)
  }
  if (agent) throw new FlagError('--agent is refused: this version runs as a server only', 1)
  const webConfig = given.values.get('web.config.file')?.[0]
  if (webConfig !== undefined && webConfig !== '') {
    throw new FlagError(
      '--web.config.file is refused: this version serves neither TLS nor authentication, and would leave open what the file is meant to close',
      1,
    )
  }
  const ratio = given.values.get('auto-gomemlimit.ratio')?.[0] as number | undefined
  if (ratio !== undefined && !(ratio > 0 && ratio <= 1)) {
    throw new FlagError('--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.', 1)
  }
  for (const address of flags.listenAddresses) checkListenAddress(address)
  checkPositive(given)
  try {
    compileWrappedRegex(flags.corsOrigin)
  } catch (error) {
    throw new FlagError(
      `could not compile CORS regex string ${quoteGo(flags.corsOrigin)}: ${(error as Error).message}`,
      2,
    )
  }
}

function checkListenAddress(address: string): void {
  const port = /^(?:\[[^\]]*\]|[^:[\]]*):(\d*)$/.exec(address)?.[1]
  if (port === undefined || port === '') {
    throw new FlagError(`--web.listen-address: address ${address}: missing port in address`, 2)
  }
  if (Number(port) > 65535) throw new FlagError(`--web.listen-address: address ${port}: invalid port`, 2)
}

const NOT_NEGATIVE_FLAGS = [
  'storage.memory-limit',
  'query.memory-limit',
  'storage.tsdb.retention.size',
  'scrape.timestamp-tolerance',
]

const POSITIVE_FLAGS = [
  'query.timeout',
  'query.max-concurrency',
  'query.max-samples',
  'web.max-connections',
  'storage.head-cut-span',
]

/** Numbers that upstream takes as they are, though nothing works with them; better said than suffered. */
function checkPositive(given: Given): void {
  for (const name of POSITIVE_FLAGS) {
    const value = given.values.get(name)?.[0] as number | undefined
    if (value !== undefined && value <= 0) {
      throw new FlagError(`${PARSE_PREFIX}--${name} must be greater than 0`, 2)
    }
  }
  for (const name of NOT_NEGATIVE_FLAGS) {
    const value = given.values.get(name)?.[0] as number | undefined
    if (value !== undefined && value < 0) {
      throw new FlagError(`${PARSE_PREFIX}--${name} must not be negative`, 2)
    }
  }
}
