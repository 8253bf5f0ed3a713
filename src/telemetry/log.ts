/**
 * Log lines in upstream's form, on stderr.
 *
 * logfmt  time=2026-01-02T15:04:05.000Z level=INFO source=scrape/loop.ts msg="Scrape failed" err="…"
 * json    {"time":"2026-01-02T15:04:05.000Z","level":"INFO","source":"scrape/loop.ts","msg":"…","err":"…"}
 *
 * pino does levels, children and serializing; its JSON line is rendered again here, because pino fixes the
 * order of keys and upstream's readers expect time, level, source, msg and then the rest. A logger names the
 * file it speaks for with `logger.child({ source: 'scrape/loop.ts' })`.
 */
import pino from 'pino'
import { isPrintable, quoteGo } from './quote.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'logfmt' | 'json'

export interface LoggerOptions {
  level: LogLevel
  format: LogFormat
  /** Where whole lines go; stderr unless given. */
  destination?: { write(line: string): void }
}

type Logged = Readonly<Record<string, unknown>>

const HEAD_KEYS = ['time', 'level', 'source', 'msg'] as const

export function createLogger(options: LoggerOptions): pino.Logger {
  const destination = options.destination ?? pino.destination({ fd: 2, sync: true })
  const render = options.format === 'json' ? renderJson : renderLogfmt
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      serializers: { err: errorText },
    },
    { write: (line: string) => void destination.write(render(JSON.parse(line) as Logged)) },
  )
}

/** An error's message, and those of what caused it as far as it does not quote them itself. */
function errorText(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (!(error.cause instanceof Error)) return error.message
  const cause = String(errorText(error.cause))
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

function renderJson(logged: Logged): string {
  return `${JSON.stringify(Object.fromEntries(orderedEntries(logged)))}\n`
}

export function renderLogfmt(logged: Logged): string {
  const fields = orderedEntries(logged).map(([key, value]) => `${quoteIfNeeded(key)}=${logfmtValue(value)}`)
  return `${fields.join(' ')}\n`
}

/** Time, level, source and message first, as upstream; a line without a source has no such key. */
function orderedEntries(logged: Logged): [string, unknown][] {
  const entries: [string, unknown][] = []
  for (const key of HEAD_KEYS) {
    if (logged[key] !== undefined) entries.push([key, logged[key]])
    else if (key === 'msg') entries.push([key, ''])
  }
  for (const [key, value] of Object.entries(logged)) {
    if (!(HEAD_KEYS as readonly string[]).includes(key)) entries.push([key, value])
  }
  return entries
}

function logfmtValue(value: unknown): string {
  if (typeof value === 'string') return quoteIfNeeded(value)
  if (value === null) return '<nil>'
  if (typeof value === 'object') return quoteIfNeeded(JSON.stringify(value))
  return String(value)
}

function quoteIfNeeded(text: string): string {
  return needsQuotes(text) ? quoteGo(text) : text
}

/** The rule of Go's slog.TextHandler: empty, spaces, `=`, `"`, and whatever does not print, DEL excepted. */
function needsQuotes(text: string): boolean {
  return text === '' || /[ ="]/.test(text) || !isPrintable(text.replaceAll('\x7f', ''))
}
