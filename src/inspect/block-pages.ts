/** The pages of one block. */

import { blockName } from '../../storage/block/catalog.ts'
import type { FoundBlock } from '../../storage/inspect.ts'
import { labelsText } from '../../storage/model/labels-text.ts'
import type { Print } from './inspect.ts'
import { bytesText, tableLines, timeText } from './table.ts'

export function printPages({ id, pages }: FoundBlock, print: Print): void {
  if (pages === undefined) return
  const { series, chunks, postings } = pages.directory
  const checksum = (value: number): string => value.toString(16).padStart(8, '0')
  const rows = [
    ...series.map((page, number) => {
      const first = pages.seriesPage(number)?.labels.labelsOf(0)
      const about = first === undefined ? 'damaged' : `from ${labelsText(first)}`
      const refs = `${page.firstRef}–${page.firstRef + page.series - 1}`
      return [`s ${number}`, bytesText(page.bytes), checksum(page.checksum), refs, about]
    }),
    ...postings.map(({ bytes, entries, firstName, firstValue, checksum: sum }, number) => [
      ...[`p ${number}`, bytesText(bytes), checksum(sum), ''],
      `${entries} pairs from ${firstName}=${JSON.stringify(firstValue)}`,
    ]),
    ...chunks.map(({ bytes, firstRef, finalRef, mint, maxt, checksum: sum }, number) => [
      ...[`c ${number}`, bytesText(bytes), checksum(sum), `${firstRef}–${finalRef}`],
      `${timeText(mint)} to ${timeText(maxt)}`,
    ]),
  ]
  print('')
  print(`pages of block ${blockName(id)}: ${rows.length}, beside the meta page and its copy`)
  for (const line of tableLines(['page', 'size', 'checksum', 'refs', ''], rows, ['page', 'checksum', ''])) {
    print(`  ${line}`)
  }
}

/** Reads every page; what is damaged is told to whoever opened the block. */
export function verifyPages({ id, pages }: FoundBlock, print: Print): void {
  if (pages === undefined) return
  const { series, chunks, postings } = pages.directory
  let lost = 0
  for (let i = 0; i < series.length; i++) if (pages.seriesPage(i) === undefined) lost++
  for (let i = 0; i < postings.length; i++) if (pages.postingsPage(i) === undefined) lost++
  for (let i = 0; i < chunks.length; i++) if (pages.chunkPage(i) === undefined) lost++
  const count = series.length + postings.length + chunks.length
  print(`block ${blockName(id)}: ${count} pages read, damaged: ${lost}`)
}
