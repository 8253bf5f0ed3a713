/** The chunks of the series that pass a selector, and what the log has of them. */

import { blockName } from '../../storage/block/catalog.ts'
import { describeChunk } from '../../storage/codec/chunk.ts'
import { type FoundBlock, forEachSeries, readLog } from '../../storage/inspect.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { labelsText } from '../../storage/model/labels-text.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import type { Print } from './inspect.ts'
import { timeText } from './table.ts'

/** At most `top` series of each block and of the log; `withLog`: whether the log is looked at, too. */
export async function printSeries(
  path: string,
  blocks: readonly FoundBlock[],
  matchers: readonly Matcher[],
  withLog: boolean,
  top: number,
  print: Print,
): Promise<void> {
  for (const block of blocks) printBlock(block, matchers, top, print)
  if (withLog) await printLog(path, matchers, top, print)
}

function passes(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))
}

function printBlock(
  { id, pages }: FoundBlock,
  matchers: readonly Matcher[],
  top: number,
  print: Print,
): void {
  if (pages === undefined) return
  const found: { labels: Labels; ref: number }[] = []
  forEachSeries(pages, (labels, ref) => {
    if (passes(labels, matchers)) found.push({ labels, ref })
  })
  if (found.length === 0) return
  print('')
  print(`block ${blockName(id)}: ${found.length} series`)
  for (const { labels, ref } of found.slice(0, top)) {
    print(`  ${ref}: ${labelsText(labels)}`)
    const page = pages.seriesPage(pages.seriesPageOf(ref))!
    const { from, page: pageOf, offset, mint, maxt } = page.chunks
    const i = ref - page.firstRef
    for (let chunk = from[i]; chunk < from[i + 1]; chunk++) {
      const bytes = pages.chunkPage(pageOf[chunk])
      const about = bytes === undefined ? 'the page is damaged' : describeChunk(bytes, offset[chunk])
      const place = `page c ${pageOf[chunk]} byte ${offset[chunk]}`
      print(`    ${timeText(mint[chunk])} to ${timeText(maxt[chunk])}, ${place}: ${about}`)
    }
  }
  if (found.length > top) print(`  and ${found.length - top} more`)
}

interface LoggedSeries {
  labels: Labels
  generation: number
  samples: number
  mint: number
  maxt: number
}

async function printLog(
  path: string,
  matchers: readonly Matcher[],
  top: number,
  print: Print,
): Promise<void> {
  const found = new Map<string, LoggedSeries>()
  await readLog(path, {
    series: (generation, index, labels) => {
      if (!passes(labels, matchers)) return
      found.set(`${generation}/${index}`, { labels, generation, samples: 0, mint: Infinity, maxt: -Infinity })
    },
    samples: (generation, { length, index, t }) => {
      if (found.size === 0) return
      for (let i = 0; i < length; i++) {
        const series = found.get(`${generation}/${index[i]}`)
        if (series === undefined) continue
        series.samples++
        series.mint = Math.min(series.mint, t[i])
        series.maxt = Math.max(series.maxt, t[i])
      }
    },
  })
  if (found.size === 0) return
  print('')
  print(`write-ahead log: ${found.size} series, one in two generations counted twice`)
  for (const { labels, generation, samples, mint, maxt } of [...found.values()].slice(0, top)) {
    print(`  ${labelsText(labels)}`)
    print(`    generation ${generation}: ${samples} samples, ${timeText(mint)} to ${timeText(maxt)}`)
  }
  if (found.size > top) print(`  and ${found.size - top} more`)
}
