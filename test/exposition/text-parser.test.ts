// Goal: the parser takes and refuses what upstream's does, with its words. Method: tables with hand-written
// answers, recorded pages with known counts, then seeded damage to them, compared with a second, slow parser.
import { describe, expect, it } from 'vitest'
import { ExpositionError } from '../../src/exposition/exposition-error.ts'
import {
  ENTRY_EOF,
  ENTRY_HELP,
  ENTRY_SERIES,
  ENTRY_TYPE,
  TextParser,
} from '../../src/exposition/text-parser.ts'
import { ExpositionMutator, havePayloads, readPayload, TEXT_PAYLOADS } from '../harness/exposition-mutator.ts'
import { type OracleEntry, parseSlowly } from '../harness/exposition-oracle.ts'
import { prng, testSeed } from '../harness/prng.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))

/** The samples of a page as `[labels, value, timestamp?]`. */
function samples(body: Uint8Array): unknown[] {
  const parser = new TextParser(body)
  const found: unknown[] = []
  for (let entry = parser.next(); entry !== ENTRY_EOF; entry = parser.next()) {
    if (entry !== ENTRY_SERIES) continue
    const [, ...labels] = parser.rawLabels()
    const sample: unknown[] = [labels, parser.value]
    if (!Number.isNaN(parser.timestampMs)) sample.push(parser.timestampMs)
    found.push(sample)
  }
  return found
}

function failure(body: Uint8Array): ExpositionError {
  const parser = new TextParser(body)
  try {
    while (parser.next() !== ENTRY_EOF);
  } catch (error) {
    if (error instanceof ExpositionError) return error
    throw error
  }
  throw new Error('the page was taken')
}

const taken: [rule: string, page: string, want: unknown[]][] = [
  ['an empty page', '', []],
  ['blank lines', '\n\n  \n\t\na 1\n\n', [[['a'], 1]]],
  ['no newline at the end', 'a 1', [[['a'], 1]]],
  ['tabs and many blanks', 'a\t \t1 \t 5\t', [[['a'], 1, 5]]],
  ['blank before the brace', 'a {b="c"} 1', [[['a', 'b', 'c'], 1]]],
  ['no blank before the value', 'a{b="c"}1', [[['a', 'b', 'c'], 1]]],
  ['blanks between labels', 'a{ b = "c" , d="e" } 1', [[['a', 'b', 'c', 'd', 'e'], 1]]],
  ['comma at the end', 'a{b="c",} 1', [[['a', 'b', 'c'], 1]]],
  ['commas left out', 'a{b="c" d="e"f="g"} 1', [[['a', 'b', 'c', 'd', 'e', 'f', 'g'], 1]]],
  ['no labels in braces', 'a{} 1', [[['a'], 1]]],
  ['colons in a name', ':a:b 1', [[[':a:b'], 1]]],
  ['blank before a name is part of it', ' a 1', [[[' a'], 1]]],
  [
    'order, empty values and repeats stay',
    'a{z="",b="1",b="2"} 1',
    [[['a', 'z', '', 'b', '1', 'b', '2'], 1]],
  ],
  ['escapes', 'a{b="\\\\ \\" \\n \\x"} 1', [[['a', 'b', '\\ " \n \\x'], 1]]],
  ['newline in a value', 'a{b="x\ny"} 1', [[['a', 'b', 'x\ny'], 1]]],
  ['UTF-8 in a value', 'a{b="é😀"} 1', [[['a', 'b', 'é😀'], 1]]],
  ['brace in a value', 'a{b="}"} 1', [[['a', 'b', '}'], 1]]],
  ['null bytes in a value', 'a{b="\0x\0"} 1', [[['a', 'b', '\0x\0'], 1]]],
  ['a null byte behind a value takes the quote in', 'a{b="c"\0} 1', [[['a', 'b', 'c"'], 1]]],
  ['a null byte where a line begins ends the page', 'a 1\n\0b 1\n', [[['a'], 1]]],
  ['a null byte in a tight comment ends the page', '#a\0\nb 1\n', []],
  ['a null byte in a comment is passed over', '# a\0\nb 1\n', [[['b'], 1]]],
  ['quoted name', '{"a.b",c="d"} 1', [[['a.b', 'c', 'd'], 1]]],
  ['quoted name last', '{c="d","a.b"} 1', [[['a.b', 'c', 'd'], 1]]],
  ['quoted name alone', '{"a b"} 1 2', [[['a b'], 1, 2]]],
  ['quoted label name', 'a{"b.c"="d"} 1', [[['a', 'b.c', 'd'], 1]]],
  ['escapes in quoted names', '{"a\\"b\\n"} 1', [[['a"b\n'], 1]]],
  ['bytes that are not UTF-8 in a quoted name', '{"a\xff"} 1', [[['a\udcff'], 1]]],
  [
    'timestamps',
    'a 1 0\na 2 1395066363000\na 3 007',
    [
      [['a'], 1, 0],
      [['a'], 2, 1395066363000],
      [['a'], 3, 7],
    ],
  ],
  ['the largest timestamp', 'a 1 9223372036854775807', [[['a'], 1, 2 ** 63]]],
  ['comments', '# a\n#b\n#\n# HELPx a\n# EOF\na 1', [[['a'], 1]]],
  ['infinities', 'a +Inf\na -inf\na infinity\na INF', [1, -1, 1, 1].map((sign) => [['a'], sign * Infinity])],
  [
    'NaN',
    'a NaN\na nan',
    [
      [['a'], NaN],
      [['a'], NaN],
    ],
  ],
  ['floats', 'a 1.\na .5\na 1E+3\na -0\na 1e-999', [1, 0.5, 1000, -0, 0].map((value) => [['a'], value])],
  [
    'le of histograms only',
    'a{le="1"} 1\n# TYPE a histogram\na{le="1",quantile="1"} 1\n# TYPE a gauge\na{le="1"} 1',
    [
      [['a', 'le', '1'], 1],
      [['a', 'le', '1.0', 'quantile', '1'], 1],
      [['a', 'le', '1'], 1],
    ],
  ],
  [
    'quantile of summaries',
    '# TYPE b summary\na{quantile="1e6",le="1"} 1',
    [[['a', 'quantile', '1e+06', 'le', '1'], 1]],
  ],
]

const refused: [rule: string, page: string, message: string][] = [
  ['no value', 'a\n', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n"'],
  ['no value, no newline', 'a', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n"'],
  [
    'no value after labels',
    'a{b="c"}',
    'expected value after metric, got "\\n" ("INVALID") while parsing: "a{b=\\"c\\"}\\n"',
  ],
  [
    'carriage return',
    'a 1\r\n',
    'strconv.ParseFloat: parsing "1\\r": invalid syntax while parsing: "a 1\\r"',
  ],
  ['bad start', '1a 1', 'expected a valid start token, got "1" ("INVALID") while parsing: "1"'],
  [
    'bad start, not UTF-8',
    '\xff',
    'expected a valid start token, got "\\xff" ("INVALID") while parsing: "\\xff"',
  ],
  ['dash in a name', 'a-b 1', 'strconv.ParseFloat: parsing "-b": invalid syntax while parsing: "a-b"'],
  ['no name', '{a="b"} 1', 'metric name not set while parsing: "{a=\\"b\\"} 1"'],
  ['name twice', '{"a","b"} 1', 'metric name already set while parsing: "{\\"a\\",\\"b\\"}"'],
  ['name before and in braces', 'a{"b"} 1', 'metric name already set while parsing: "a{\\"b\\"}"'],
  ['no label name', 'a{="b"} 1', 'expected label name, got "=\\"" ("EQUAL") while parsing: "a{=\\""'],
  ['comma first', 'a{,} 1', 'expected label name, got ",}" ("COMMA") while parsing: "a{,}"'],
  ['no equal', 'a{b} 1', 'expected equal, got "} " ("BCLOSE") while parsing: "a{b} "'],
  ['no quote', 'a{b=c} 1', 'expected label value, got "c" ("INVALID") while parsing: "a{b=c"'],
  ['open value', 'a{b="c', 'expected label value, got "\\"c\\n" ("INVALID") while parsing: "a{b=\\"c\\n"'],
  ['open braces', 'a{b="c"', 'expected label name, got "\\n" ("INVALID") while parsing: "a{b=\\"c\\"\\n"'],
  [
    'escaped newline',
    'a{b="\\\n"} 1',
    'expected label value, got "\\"\\\\\\n" ("INVALID") while parsing: "a{b=\\"\\\\\\n"',
  ],
  [
    'null byte before a value',
    'a{b=\0"c"} 1',
    'expected label value, got "\\x00" ("INVALID") while parsing: "a{b=\\x00"',
  ],
  ['braces twice', 'a{}{} 1', 'expected value after metric, got "{}" ("BOPEN") while parsing: "a{}{}"'],
  ['value not UTF-8', 'a{b="\xff"} 1', 'invalid UTF-8 label value: "\\"\\xff\\""'],
  ['surrogate as UTF-8', 'a{b="\xed\xa0\x80"} 1', 'invalid UTF-8 label value: "\\"\\xed\\xa0\\x80\\""'],
  [
    'negative timestamp',
    'a 1 -5',
    'expected timestamp or new record, got "-" ("INVALID") while parsing: "a 1 -"',
  ],
  [
    'float timestamp',
    'a 1 5.5',
    'expected next entry after timestamp, got "." ("INVALID") while parsing: "a 1 5."',
  ],
  [
    'three numbers',
    'a 1 2 3',
    'expected next entry after timestamp, got "3\\n" ("TIMESTAMP") while parsing: "a 1 2 3\\n"',
  ],
  [
    'timestamp too large',
    'a 1 9223372036854775808',
    'strconv.ParseInt: parsing "9223372036854775808": value out of range while parsing: "a 1 9223372036854775808"',
  ],
  ['hexadecimal', 'a 0x1p3', 'unsupported character in float while parsing: "a 0x1p3"'],
  [
    'hexadecimal integer',
    'a 0x10',
    'strconv.ParseFloat: parsing "0x10": invalid syntax while parsing: "a 0x10"',
  ],
  ['underscore', 'a 1_000', 'unsupported character in float while parsing: "a 1_000"'],
  ['overflow', 'a 1e999', 'strconv.ParseFloat: parsing "1e999": value out of range while parsing: "a 1e999"'],
  ['signed NaN', 'a -NaN', 'strconv.ParseFloat: parsing "-NaN": invalid syntax while parsing: "a -NaN"'],
  ['no digits', 'a .', 'strconv.ParseFloat: parsing ".": invalid syntax while parsing: "a ."'],
  ['unknown type', '# TYPE a unknown', 'invalid metric type "unknown"'],
  ['OpenMetrics type', '# TYPE a info', 'invalid metric type "info"'],
  ['blank behind the type', '# TYPE a counter ', 'invalid metric type "counter "'],
  ['no type', '# TYPE a', 'invalid metric type ""'],
  [
    'no name in HELP',
    '# HELP \n',
    'expected metric name after HELP, got "\\n" ("INVALID") while parsing: "# HELP \\n"',
  ],
  [
    'bad name in TYPE',
    '# TYPE 1 gauge',
    'expected metric name after TYPE, got "1" ("INVALID") while parsing: "# TYPE 1"',
  ],
  ['help not UTF-8', '# HELP a \xff', 'help text "\\xff" is not a valid utf8 string'],
  [
    'null byte behind a name',
    '# HELP a\0',
    'linebreak expected after metadata, got "\\x00\\n" ("EOF") while parsing: "# HELP a\\x00\\n"',
  ],
]

describe('TextParser', () => {
  it.each(taken)('takes %s', (_, page, want) => {
    const body = /[\u0100-\uffff]/.test(page) ? encode(page) : latin1(page.replace('é', '\xc3\xa9'))
    expect(samples(body)).toEqual(want)
  })

  it.each(refused)('refuses %s', (_, page, message) => {
    expect(failure(latin1(page)).message).toBe(message)
    const later = failure(latin1(`b 1\n# c\n\n${page}`))
    expect(later.message).toBe(message)
    expect(later.line).toBe(4)
    expect(later.excerpt).toBe(Buffer.from(page.split('\n')[0], 'latin1').toString())
  })

  it('tells where the series stand, and the line', () => {
    const text = 'a 1\n\n  # x\n{"é",b="\n"} 2 3\nc{d="e"} 1'
    const body = encode(text)
    const parser = new TextParser(body)
    const found: unknown[] = []
    while (parser.next() !== ENTRY_EOF) {
      const series = new TextDecoder().decode(body.subarray(parser.seriesStart, parser.seriesEnd))
      parser.rawLabels()
      found.push([series, parser.line])
    }
    expect(found).toEqual([
      ['a', 1],
      ['{"é",b="\n"}', 4],
      ['c{d="e"}', 6],
    ])
  })

  it('reads a part of a larger buffer', () => {
    const whole = encode('x 9\na{b="c"} 1\nx 9\n')
    expect(samples(whole.subarray(4, 15))).toEqual([[['a', 'b', 'c'], 1]])
  })

  it.each([
    ['# HELP a b c', 'a', 'b c'],
    ['#\tHELP  a  b', 'a', ' b'],
    ['  # HELP a b', 'a', 'b'],
    ['# HELP a', 'a', ''],
    ['# HELP a \t ', 'a', ''],
    ['# HELP a{} b', 'a', '} b'],
    ['# HELP a:b \\\\ \\n \\" é', 'a:b', '\\ \n \\" é'],
    ['# HELP "a b" c', 'a b', 'c'],
    ['# HELP a b\r', 'a', 'b\r'],
  ])('reads %s', (line, name, help) => {
    const parser = new TextParser(encode(line))
    expect(parser.next()).toBe(ENTRY_HELP)
    expect([parser.metricName, parser.helpText]).toEqual([name, help])
    expect(parser.next()).toBe(ENTRY_EOF)
  })

  it.each([
    ['# TYPE a counter', 'counter'],
    ['# TYPE a gauge', 'gauge'],
    ['# TYPE a histogram', 'histogram'],
    ['# TYPE a summary', 'summary'],
    ['# TYPE a untyped', 'unknown'],
    ['# TYPE a-gauge', 'gauge'],
  ])('reads %s', (line, type) => {
    const parser = new TextParser(encode(line))
    expect(parser.next()).toBe(ENTRY_TYPE)
    expect([parser.metricName, parser.metricType]).toEqual(['a', type])
  })

  if (havePayloads()) {
    it.each(Object.entries(TEXT_PAYLOADS))('reads %s: %i samples', (name, count) => {
      const body = readPayload(name)
      const parser = new TextParser(body)
      let found = 0
      for (let entry = parser.next(); entry !== ENTRY_EOF; entry = parser.next()) {
        if (entry === ENTRY_SERIES) found++
      }
      expect(found).toBe(count)
      expectSame(body, name)
    })
  } else {
    it('has no recorded pages to read', () => {
      console.log('recorded pages left out: ../shared/data is not there')
      expect(samples(encode('a 1'))).toHaveLength(1)
    })
  }

  const seconds = Number(process.env.FUZZ_SECONDS ?? 2)
  it(`agrees with the slow parser on damaged pages, for ${seconds} s`, {
    timeout: seconds * 1000 + 20_000,
  }, () => {
    const seed = testSeed()
    const mutator = new ExpositionMutator(prng(seed))
    const until = performance.now() + seconds * 1000
    let failures = 0
    let run = 0
    for (; performance.now() < until; run++) {
      if (expectSame(mutator.next(run % 10 === 0 ? 40 : 6), `SEED=${seed} run=${run}`)) failures++
    }
    // The damage must neither spare nor break all pages.
    expect(failures, `SEED=${seed}`).toBeGreaterThan(run / 10)
    expect(failures, `SEED=${seed}`).toBeLessThan(run)
  })
})

/** Compares all that can be read of a page; answers whether it was refused. */
function expectSame(body: Uint8Array, where: string): boolean {
  const want = parseSlowly(body)
  const parser = new TextParser(body)
  let failed = false
  let i = 0
  try {
    for (let entry = parser.next(); entry !== ENTRY_EOF; entry = parser.next()) {
      expectSameEntry(parser, entry, want.entries[i], `${where} entry=${i}`, body)
      i++
    }
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error
    failed = true
  }
  if (failed !== want.failed || i !== want.entries.length) {
    const got = `${where}\n${JSON.stringify(Buffer.from(body).toString('latin1'))}\nline=${parser.line}`
    expect([failed, i], got).toEqual([want.failed, want.entries.length])
  }
  return failed
}

function expectSameEntry(
  parser: TextParser,
  entry: number,
  want: OracleEntry | undefined,
  where: string,
  body: Uint8Array,
): void {
  if (want === undefined) {
    expect(entry, `${where}: one more than the slow parser`).toBe(ENTRY_EOF)
  } else if (entry === ENTRY_HELP) {
    const name = [...parser.metricName].map(latin1Of).join('')
    expect(['help', name, parser.helpText], where).toEqual([want.kind, want.text, want.meta])
  } else if (entry === ENTRY_TYPE) {
    expect(['type', parser.metricType], where).toEqual([want.kind, want.meta])
  } else {
    const series = Buffer.from(body.subarray(parser.seriesStart, parser.seriesEnd)).toString('latin1')
    const timestamp = want.timestamp === undefined ? Number.NaN : Number(want.timestamp)
    const labels = parser.rawLabels().map((label) => (label.isWellFormed() ? label : undefined))
    const got = ['series', series, parser.value, parser.timestampMs, labels]
    // By hand first: an assertion for each of many thousand samples would take most of the time.
    const same = Object.is(parser.value, want.value) && Object.is(parser.timestampMs, timestamp)
    if (same && series === want.text && labels.every((label, k) => label === want.labels[k])) return
    expect(got, where).toEqual([want.kind, want.text, want.value, timestamp, want.labels])
  }
}

/** A byte that is not UTF-8 is carried as U+DC00 + byte. */
function latin1Of(character: string): string {
  if (!character.isWellFormed()) return String.fromCharCode(character.charCodeAt(0) - 0xdc00)
  return Buffer.from(character).toString('latin1')
}
