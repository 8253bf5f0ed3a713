// Goal: log lines in upstream's form. Method: a table of values with what Go's slog.TextHandler writes for
// them, and whole lines of both formats.
import { describe, expect, it } from 'vitest'
import { createLogger, type LoggerOptions, renderLogfmt } from '../../src/telemetry/log.ts'

const quoting = [
  { value: 'plain', want: 'plain' },
  { value: '', want: '""' },
  { value: 'two words', want: '"two words"' },
  { value: 'a=b', want: '"a=b"' },
  { value: 'say "x"', want: '"say \\"x\\""' },
  { value: 'back\\slash', want: 'back\\slash' },
  { value: 'back\\slash and space', want: '"back\\\\slash and space"' },
  { value: 'line\nbreak', want: '"line\\nbreak"' },
  { value: 'tab\t', want: '"tab\\t"' },
  { value: '\u0001', want: '"\\x01"' },
  { value: '\u007f', want: '\u007f' },
  { value: 'umläut→✓', want: 'umläut→✓' },
  { value: 'nbsp\u00a0', want: '"nbsp\\u00a0"' },
  { value: '\u{e0001}', want: '"\\U000e0001"' },
  { value: '😀', want: '😀' },
  { value: '{a}[b](c),;:/%', want: '{a}[b](c),;:/%' },
  { value: 1.5, want: '1.5' },
  { value: true, want: 'true' },
  { value: null, want: '<nil>' },
  { value: ['a', 1], want: '"[\\"a\\",1]"' },
]

function lines(options: Omit<LoggerOptions, 'destination'>) {
  const written: string[] = []
  return {
    written,
    logger: createLogger({ ...options, destination: { write: (line) => written.push(line) } }),
  }
}

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/

describe('renderLogfmt', () => {
  it.each(quoting)('writes $value as $want', ({ value, want }) => {
    expect(renderLogfmt({ msg: 'm', key: value })).toBe(`msg=m key=${want}\n`)
  })
})

describe('createLogger', () => {
  it('writes time, level, source and message first', () => {
    const { logger, written } = lines({ level: 'info', format: 'logfmt' })
    logger.child({ source: 'scrape/loop.ts' }).warn({ target: 'a:1', n: 2 }, 'Scrape failed')
    expect(written).toHaveLength(1)
    expect(written[0].replace(TIME, 'T')).toBe(
      'time=T level=WARN source=scrape/loop.ts msg="Scrape failed" target=a:1 n=2\n',
    )
    expect(written[0]).toMatch(TIME)
  })

  it('writes the same keys as JSON', () => {
    const { logger, written } = lines({ level: 'debug', format: 'json' })
    logger.child({ source: 'main.ts' }).debug({ list: [1] }, 'hello')
    expect(written[0].replace(TIME, 'T')).toBe(
      '{"time":"T","level":"DEBUG","source":"main.ts","msg":"hello","list":[1]}\n',
    )
  })

  it('writes an error as its message and the messages of its causes', () => {
    const { logger, written } = lines({ level: 'info', format: 'logfmt' })
    logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed')
    logger.error({ err: 'a text' }, 'failed')
    logger.error({ err: new Error('outer: inner', { cause: new Error('inner') }) }, 'failed')
    expect(written[0]).toMatch(/ level=ERROR msg=failed err="outer: inner"\n$/)
    expect(written[1]).toMatch(/ level=ERROR msg=failed err="a text"\n$/)
    expect(written[2]).toMatch(/ level=ERROR msg=failed err="outer: inner"\n$/)
  })

  it('leaves out what is below its level', () => {
    const { logger, written } = lines({ level: 'warn', format: 'logfmt' })
    logger.info('no')
    logger.debug('no')
    logger.warn('yes')
    expect(written).toHaveLength(1)
  })
})
