// Goal: the inspector says what lies in a data folder, whole or damaged, in use or not, and changes nothing of it. Method: a
// folder with known content; its files before and after.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inspect } from '../../src/inspect/inspect.ts'
import { OptionError, parseOptions } from '../../src/inspect/options.ts'
import { bytesText, ratioText, tableLines, timeText } from '../../src/inspect/table.ts'
import { Database } from '../../storage/db.ts'
import { Labels } from '../../storage/model/labels.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'

const START = Date.parse('2026-01-02T15:00:00Z')
let path: string
let db: Database

async function append(generation: number): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const appender = db.appender()
    for (const code of ['200', '404', '500']) {
      const ref = appender.register(Labels.from({ __name__: 'hits_total', code, job: 'web' }))
      appender.append(ref, START + (generation * 20 + i) * 15_000, i, KIND_FLOAT)
    }
    await appender.commit()
  }
}

/** Two blocks, two deletes that hide samples of the first, and a generation in the log. The database stays open. */
beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'narthex-inspect-'))
  // No sync of its own accord, which would write to the log while it is looked at.
  const syncIntervalMs = 3_600_000
  db = await Database.open({ path, turnMs: 0, syncIntervalMs, limits: { headBytesMax: 64 * 2 ** 20 } })
  await db.ready()
  for (const generation of [0, 1]) {
    await append(generation)
    db.cut()
    await db.settle()
  }
  await db.deleteSeries([new Matcher('code', '=~', '5..')], START, START + 30_000)
  await append(2)
})
afterEach(async () => {
  await db.close()
  rmSync(path, { recursive: true })
})

async function run(...argv: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = []
  const code = await inspect(parseOptions([path, ...argv])!, (line) => lines.push(line))
  return { code, text: lines.join('\n') }
}

function digests(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => `${file} ${createHash('sha1').update(readFileSync(file)).digest('hex')}`)
    .sort()
}

describe('a data folder in use', () => {
  it('is shown whole, and not changed', async () => {
    const before = digests(path)
    const { code, text } = await run('--verify')
    expect(digests(path)).toEqual(before)
    expect(code).toBe(0)
    const squeezed = text.replace(/ +/g, ' ')
    expect(squeezed).toContain('blocks: 2\n')
    expect(squeezed).toMatch(
      /00000001 0 1–1 2026-01-02T15:00:00.000Z 2026-01-02T15:04:45.000Z 3 60 3 [\d.]+ KiB [\d.]+\n/,
    )
    expect(squeezed).toMatch(/block 00000002: 3 pages read, damaged: 0\n/)
    expect(squeezed).toMatch(/generations in the write-ahead log: 1, the oldest on record is 3\n/)
    expect(squeezed).toMatch(/\n 3 \d+ \d+ B 3 60 [\d.]+ 2026-01-02T15:10:00.000Z 2026-01-02T15:14:45.000Z\n/)
    expect(squeezed).toContain(
      'tombstones: 1\n 1: {code=~"5.."} 2026-01-02T15:00:00.000Z to 2026-01-02T15:00:30.000Z, in generations up to 2\n',
    )
    expect(squeezed).toContain('quarantine: 0\n')
    expect(squeezed).toContain(
      'labels: 3 series in blocks and log, 5 pairs of a label and a value\n' +
        ' labels by values\n 3 code\n 1 __name__\n 1 job\n metrics by series\n 3 hits_total\n' +
        ' pairs by series\n 3 __name__=hits_total\n 3 job=web\n 1 code=200\n 1 code=404\n 1 code=500',
    )
  })

  it('shows the pages of one block', async () => {
    const { text } = await run('--block', '2', '--pages')
    expect(text).toContain('blocks: 1\n')
    expect(text).toContain('pages of block 00000002: 3, beside the meta page and its copy')
    expect(text).toMatch(/s 0 .* 0–2 +from hits_total\{code="200", job="web"\}/)
    expect(text).toMatch(/p 0 .* 5 pairs from __name__="hits_total"/)
    expect(text).toMatch(/c 0 .* 0–2 +2026-01-02T15:05:00.000Z to 2026-01-02T15:09:45.000Z/)
    expect(text).not.toContain('write-ahead log')
  })

  it('shows how the chunks of one series are encoded', async () => {
    const { text } = await run('--series', 'hits_total{code="404"}')
    expect(text).toContain('block 00000001: 1 series\n  1: hits_total{code="404", job="web"}\n')
    expect(text).toMatch(
      /page c 0 byte \d+: 20 samples, times regular 15000 ms, values linear e=0, \d+ bytes/,
    )
    expect(text).toMatch(
      /write-ahead log: 1 series.*\n.*404.*\n {4}generation \d: 20 samples, 2026-01-02T15:10:00.000Z to/,
    )
  })

  it('shows as many series as are wanted', async () => {
    const { text } = await run('--series', '{job="web"}', '--top', '2', '--block', '1')
    expect(text).toContain('block 00000001: 3 series\n')
    expect(text).toContain('  and 1 more')
    expect((await run('--top', '0')).text).not.toContain('labels by values')
  })
})

describe('damage', () => {
  it('of a block, of the log and in quarantine is said', async () => {
    await db.close()
    const narthex = join(path, 'narthex')
    const tables = (folder: string) => readdirSync(folder).map((name) => join(folder, name))
    const flip = (file: string, at: number) => {
      const bytes = readFileSync(file)
      bytes[at] ^= 0x10
      writeFileSync(file, bytes)
    }
    const table = tables(join(narthex, 'blocks', '00000002')).find((name) => name.endsWith('.ldb'))!
    flip(table, readFileSync(table).indexOf('Nx') + 20)
    const log = tables(join(narthex, 'wal'))
      .filter((name) => /\d+\.(log|ldb)$/.test(name))
      .sort((a, b) => statSync(b).size - statSync(a).size)[0]
    flip(log, 100)
    const { code, text } = await run('--verify')
    expect(code).toBe(3)
    expect(text).toContain('block 00000002: 3 pages read, damaged: 1')
    expect(text).toMatch(/\ndamage\n(.*\n)* {2}block 00000002: chunk page 0: wrong checksum/)
    expect(text).toMatch(/\n {2}wal: \d+\.(log|ldb) is damaged/)
    db = await Database.open({ path, turnMs: 0, limits: { headBytesMax: 64 * 2 ** 20 } })
    await db.ready()
    expect((await run()).text).toMatch(/quarantine: 1\n {2}wal-\S+ {2}[\d.]+ KiB {2}since 20/)
  })

  it('that leaves nothing of a block is said', async () => {
    await db.close()
    const folder = join(path, 'narthex', 'blocks', '00000001')
    for (const name of readdirSync(folder)) if (name.endsWith('.ldb')) rmSync(join(folder, name))
    const { code, text } = await run()
    expect(code).toBe(3)
    expect(text).toContain('cannot be opened')
    expect(text).toMatch(/block 00000001: block .* has no meta page/)
  })
})

describe('the command line', () => {
  it.each([
    [[], 'one folder is expected'],
    [['a', 'b'], 'one folder is expected'],
    [['a', '--block', 'xyz'], "--block: 'xyz' is no name of a block"],
    [['a', '--top', '-1'], "Option '--top' argument is ambiguous"],
    [['a', '--top', 'x'], "--top: 'x' is no number up to 999999"],
    [['a', '--series', '{'], '--series: 1:2: parse error'],
    [['a', '--nothing'], "Unknown option '--nothing'"],
  ])('%j', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(OptionError)
    expect(() => parseOptions(argv)).toThrow(message)
  })

  it('says its help, and what is wrong by its exit code', async () => {
    const main = resolve(import.meta.dirname, '../../src/inspect/main.ts')
    const spawn = (...argv: string[]) => spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8' })
    const help = spawn('--help')
    expect([help.status, help.stderr]).toEqual([0, ''])
    expect(help.stdout).toContain('usage: npm run inspect -- DIR')
    expect(spawn().status).toBe(1)
    const none = spawn(join(path, 'narthex', 'state'))
    expect([none.status, none.stderr]).toEqual([2, `there is no data of Narthex in ${path}/narthex/state\n`])
    expect(spawn(path, '--block', '77').stderr).toContain('there is no block 00000077')
    expect(spawn(path).status).toBe(0)
  })
})

it('text', () => {
  expect(
    tableLines(
      ['a', 'name'],
      [
        ['1', 'x'],
        ['22', 'longer'],
      ],
      ['name'],
    ),
  ).toEqual([' a  name', ' 1  x', '22  longer'])
  expect([bytesText(1023), bytesText(1536), bytesText(3 * 2 ** 30)]).toEqual(['1023 B', '1.5 KiB', '3.0 GiB'])
  expect([ratioText(3, 2), ratioText(3, 0)]).toEqual(['1.50', '-'])
  expect([timeText(0), timeText(Number.NaN), timeText(9e15)]).toEqual(['1970-01-01T00:00:00.000Z', '-', '-'])
})
