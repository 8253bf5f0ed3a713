/** What lies in a data folder, section by section. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { blockName } from '../../storage/block/catalog.ts'
import type { BlockMeta, DamageNote } from '../../storage/block/format.ts'
import type { Tombstone } from '../../storage/block/tombstones.ts'
import {
  type FoundBlock,
  forEachSeries,
  type LogContents,
  openBlocks,
  readLog,
  readQuarantine,
  readTombstones,
  replacedIds,
} from '../../storage/inspect.ts'
import { LabelCounter, type NamedCount } from '../../storage/model/cardinality.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { printPages, verifyPages } from './block-pages.ts'
import type { InspectOptions } from './options.ts'
import { printSeries } from './series-chunks.ts'
import { bytesText, ratioText, tableLines, timeText } from './table.ts'

export type Print = (line: string) => void

const EXIT_DAMAGED = 3

/** Prints what was asked for; returns the exit code. Throws an Error for a folder that cannot be read. */
export async function inspect(options: InspectOptions, print: Print): Promise<number> {
  const path = dataPath(options.folder)
  const damage = new Set<string>()
  const note = ({ block, page, what }: DamageNote): void => {
    damage.add(`block ${block.slice(-8)}: ${page === '' ? what : `${page}: ${what}`}`)
  }
  const all = await openBlocks(path, note)
  try {
    for (const { id, fault } of all) if (fault !== undefined) damage.add(`block ${blockName(id)}: ${fault}`)
    const blocks = options.block === undefined ? all : all.filter(({ id }) => id === options.block)
    if (options.block !== undefined && blocks.length === 0) {
      throw new Error(`there is no block ${blockName(options.block)} in ${join(path, 'blocks')}`)
    }
    const isWhole = options.block === undefined && !options.pages && options.series === undefined
    printBlocks(blocks, replacedIds(metasOf(all)), print)
    if (options.pages) for (const block of blocks) printPages(block, print)
    if (options.verify) for (const block of blocks) verifyPages(block, print)
    if (options.series !== undefined) {
      await printSeries(path, blocks, options.series, options.block === undefined, options.top, print)
    }
    if (isWhole) await printRest(path, blocks, options.top, damage, print)
  } finally {
    for (const { pages } of all) pages?.close()
  }
  if (damage.size === 0) return 0
  print('')
  print('damage')
  for (const what of damage) print(`  ${what}`)
  return EXIT_DAMAGED
}

/** The folder `narthex/`. */
function dataPath(folder: string): string {
  const path = [join(folder, 'narthex'), folder].find(
    (candidate) => existsSync(join(candidate, 'wal')) || existsSync(join(candidate, 'blocks')),
  )
  if (path === undefined) throw new Error(`there is no data of Narthex in ${folder}`)
  return path
}

function metasOf(blocks: readonly FoundBlock[]): BlockMeta[] {
  return blocks.flatMap(({ pages }) => (pages === undefined ? [] : [pages.meta]))
}

function printBlocks(blocks: readonly FoundBlock[], replaced: ReadonlySet<number>, print: Print): void {
  print(`blocks: ${blocks.length}`)
  if (blocks.length === 0) return
  const head = [
    'id',
    'level',
    'generations',
    'first',
    'last',
    'series',
    'samples',
    'chunks',
    'size',
    'B/sample',
    '',
  ]
  const rows = blocks.map(({ id, bytes, pages }) => {
    if (pages === undefined) {
      return [blockName(id), '-', '-', '-', '-', '-', '-', '-', bytesText(bytes), '-', 'cannot be opened']
    }
    const { level, firstGeneration, finalGeneration, mint, maxt, series, samples, chunks, tombstone } =
      pages.meta
    const remarks = [
      ...(replaced.has(id) ? ['replaced'] : []),
      ...(tombstone > 0 ? [`tombstones up to ${tombstone} applied`] : []),
    ]
    const numbers = [series, samples, chunks].map(String)
    const generations = `${firstGeneration}–${finalGeneration}`
    const times = [timeText(mint), timeText(maxt)]
    const size = [bytesText(bytes), ratioText(bytes, samples)]
    return [blockName(id), String(level), generations, ...times, ...numbers, ...size, remarks.join(', ')]
  })
  for (const line of tableLines(head, rows, [''])) print(`  ${line}`)
}

async function printRest(
  path: string,
  blocks: readonly FoundBlock[],
  top: number,
  damage: Set<string>,
  print: Print,
): Promise<void> {
  const counter = new DistinctSeries()
  if (top > 0)
    for (const { pages } of blocks)
      if (pages !== undefined) forEachSeries(pages, (labels) => counter.add(labels))
  const visitor = {
    series: (_: number, __: number, labels: Labels) => counter.add(labels),
    samples: () => {},
  }
  const log = await readLog(path, top > 0 ? visitor : undefined)
  print('')
  printLog(log, damage, print)
  print('')
  printTombstones(await readTombstones(path, (what) => damage.add(what)), print)
  print('')
  await printQuarantine(path, print)
  if (top > 0) printCardinality(counter, top, print)
}

function printLog(log: LogContents | undefined, damage: Set<string>, print: Print): void {
  if (log === undefined) {
    print('write-ahead log: none')
    return
  }
  const { generations, oldest, gaps } = log
  print(
    `generations in the write-ahead log: ${generations.length}, the oldest on record is ${oldest ?? 'not known'}`,
  )
  for (const what of log.damage) damage.add(`wal: ${what}`)
  for (const { generation, firstPage, finalPage } of gaps) {
    damage.add(`wal: generation ${generation}: pages ${firstPage} to ${finalPage} are missing`)
  }
  if (generations.length === 0) return
  const head = ['generation', 'pages', 'size', 'series', 'samples', 'B/sample', 'first', 'last']
  const rows = generations.map(({ number, pages, bytes, series, samples, mint, maxt }) => [
    ...[String(number), String(pages), bytesText(bytes), String(series), String(samples)],
    ...[ratioText(bytes, samples), timeText(mint), timeText(maxt)],
  ])
  for (const line of tableLines(head, rows)) print(`  ${line}`)
  for (const { number, damage: notes } of generations) {
    for (const { what, samplesLost, seriesLost, kept } of notes) {
      const from = kept === undefined ? '' : `, the original is in ${kept}`
      damage.add(
        `wal: generation ${number}: ${what}, ${samplesLost} samples of ${seriesLost.size} series behind it lost${from}`,
      )
    }
  }
}

function printTombstones(tombstones: readonly Tombstone[], print: Print): void {
  print(`tombstones: ${tombstones.length}`)
  for (const { number, matchers, mint, maxt, finalGeneration } of tombstones) {
    const selector = matchers.map(({ name, op, value }) => `${name}${op}${JSON.stringify(value)}`).join(', ')
    const times = `${timeText(mint)} to ${timeText(maxt)}`
    print(`  ${number}: {${selector}} ${times}, in generations up to ${finalGeneration}`)
  }
}

async function printQuarantine(path: string, print: Print): Promise<void> {
  const things = await readQuarantine(path)
  print(`quarantine: ${things.length}`)
  for (const { name, bytes, sinceMs } of things)
    print(`  ${name}  ${bytesText(bytes)}  since ${timeText(sinceMs)}`)
}

/** Counts each label set once, in however many blocks it is. */
class DistinctSeries {
  private readonly seen = new Set<string>()
  readonly counter = new LabelCounter()

  add(labels: Labels): void {
    const { size } = this.seen
    if (this.seen.add(labels.key()).size > size) this.counter.add(labels)
  }
}

function printCardinality({ counter }: DistinctSeries, top: number, print: Print): void {
  const { series, labelPairs, seriesByMetric, valuesByLabel, seriesByPair } = counter.result(top)
  print('')
  print(`labels: ${series} series in blocks and log, ${labelPairs} pairs of a label and a value`)
  const list = (title: string, counts: readonly NamedCount[]): void => {
    print(`  ${title}`)
    const width = String(counts[0]?.count ?? 0).length
    for (const { name, count } of counts) print(`    ${String(count).padStart(width)}  ${name}`)
  }
  list('labels by values', valuesByLabel)
  list('metrics by series', seriesByMetric)
  list('pairs by series', seriesByPair)
}
