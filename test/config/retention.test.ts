// Goal: how long samples are kept is what file and flags say together. Method: the `storage` section read and
// printed, every problem in it with its place, and a table of file × flags.
import { describe, expect, it } from 'vitest'
import { parseFlags } from '../../src/cli/flags.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { formatRetention, resolveRetention } from '../../src/config/retention.ts'

const load = (text: string, skipUnsupported = false) =>
  loadConfig(text, { fileName: 'p.yml', environment: {}, skipUnsupported })
const tsdb = (text: string) => load(`storage: {tsdb: {${text}}}`)

function problems(text: string): string[] {
  try {
    load(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.lines()
    throw error
  }
  return []
}

describe('the storage section', () => {
  it.each([
    '',
    'storage:',
    'storage: {}',
    'storage: {tsdb: {}}',
    'storage: {tsdb: {retention: {}}, exemplars: {}}',
  ])('%j says nothing', (text) => {
    const { storage, yaml, unsupportedSections } = load(text)
    expect(storage).toEqual({ outOfOrderWindowMs: 0, retention: {} })
    expect(yaml).not.toContain('storage')
    expect(unsupportedSections).toEqual([])
  })

  it('is read, and printed so that it is read again as the same', () => {
    const { storage, yaml } = tsdb(
      'retention: {percentage: 62.5, size: 512MB, time: 2w}, out_of_order_time_window: 30m, ' +
        'chunk_encoding: {floats: xor2}, stale_series_compaction_threshold: 0',
    )
    expect(storage).toEqual({
      outOfOrderWindowMs: 1_800_000,
      retention: { timeMs: 14 * 86_400_000, sizeBytes: 2 ** 29, percentage: 62.5 },
    })
    expect(yaml.slice(yaml.indexOf('storage'))).toBe(`storage:
  tsdb:
    out_of_order_time_window: 30m
    retention:
      time: 2w
      size: 512MiB
      percentage: 62.5
`)
    expect(load(yaml).storage).toEqual(storage)
  })

  it('tells a written 0 from nothing', () => {
    const { storage, yaml } = tsdb('retention: {time: 0s, size: 0, percentage: 0}')
    expect(storage.retention).toEqual({ timeMs: 0, sizeBytes: 0, percentage: 0 })
    expect(load(yaml).storage).toEqual(storage)
  })

  const RETENTION = 'storage: {tsdb: {retention: '
  it.each([
    ['storage: {tsbd: {}}', '1:11: field tsbd not found in storage, expected tsdb'],
    [
      'storage: {retention: {time: 1d}}',
      '1:11: field retention not found in storage, expected it in storage.tsdb',
    ],
    [`${RETENTION}{tim: 1d}}}`, '1:30: field tim not found in storage.tsdb.retention, expected time'],
    [
      `${RETENTION}{time: 1}}}`,
      '1:36: not a valid duration string: "1", expected a duration such as 15s, 1m30s or 1d',
    ],
    [
      `${RETENTION}{size: 5}}}`,
      '1:36: units: unknown unit  in 5, expected a size with a unit such as 512KB or 100MB, or 0',
    ],
    [
      `${RETENTION}{size: -5KB}}}`,
      '1:36: negative size -5KB, expected a size with a unit such as 512KB or 100MB, or 0',
    ],
    [
      `${RETENTION}{percentage: 101}}}`,
      '1:42: percentage 101 is out of range, expected a number from 0 to 100',
    ],
    [
      `${RETENTION}{percentage: half}}}`,
      '1:42: cannot unmarshal !!str `half` into float64, expected a number',
    ],
    [`${RETENTION}[]}}`, '1:29: cannot unmarshal !!seq into storage.tsdb.retention, expected a mapping'],
    [
      'storage: {tsdb: {out_of_order_time_window: never}}',
      '1:44: not a valid duration string: "never", expected a duration such as 15s, 1m30s or 1d',
    ],
    [
      'storage: {tsdb: {chunk_encoding: {floats: zip}}}',
      '1:43: unknown chunk encoding "zip", expected one of xor, xor2',
    ],
    [
      'storage: {exemplars: {max_exemplars: 5}}',
      '1:22: storage.exemplars is not supported yet, expected it to be empty, or --config.skip-unsupported to start without it',
    ],
  ])('%s is refused', (text, want) => expect(problems(text)).toEqual([`p.yml:${want}`]))

  it('can be used without what is not there yet', () => {
    const text =
      'storage: {exemplars: {max_exemplars: 5}, tsdb: {stale_series_compaction_threshold: 0.5, retention: {time: 1d}}}'
    const config = load(text, true)
    expect(config.unsupportedSections).toEqual([
      'storage.exemplars',
      'storage.tsdb.stale_series_compaction_threshold',
    ])
    expect(config.storage.retention).toEqual({ timeMs: 86_400_000 })
  })
})

describe('retention', () => {
  const TIME = '--storage.tsdb.retention.time'
  const SIZE = '--storage.tsdb.retention.size'
  it.each([
    ['', [], '15d'],
    ['', [`${TIME}=1w`], '1w'],
    ['', [`${SIZE}=512MB`], '15d or 512MiB'],
    ['', [`${TIME}=0s`], '15d'],
    ['', [`${TIME}=0s`, `${SIZE}=1GB`], '1GiB'],
    ['time: 3d', [`${TIME}=1w`, `${SIZE}=1GB`], '3d or 1GiB'],
    ['size: 2GB', [`${TIME}=1w`, `${SIZE}=1GB`], '1w or 2GiB'],
    ['size: 0', [`${SIZE}=1GB`], '15d'],
    ['percentage: 80', [`${TIME}=0s`], '80%'],
    ['time: 0s', [], ''],
    ['time: 0s, size: 1GB', [], '1GiB'],
    ['time: 200y', [], '100y'],
  ])('{%s} with %j is %j', (file, argv, want) => {
    const written = tsdb(`retention: {${file}}`).storage.retention
    expect(formatRetention(resolveRetention(written, parseFlags(argv)))).toBe(want)
  })

  it('is a flag with effect', () => {
    expect(parseFlags([`${TIME}=1d`, `${SIZE}=1KB`])).toMatchObject({
      retentionTimeMs: 86_400_000,
      retentionSizeBytes: 1024,
      warnings: [],
    })
    expect(() => parseFlags([`${SIZE}=-1KB`])).toThrow(`${SIZE} must not be negative`)
  })
})
