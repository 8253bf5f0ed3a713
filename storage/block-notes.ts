/** Damage of blocks in the words of the storage. */

import { blockName } from './block/catalog.ts'
import type { DamageNote as BlockDamage } from './block/format.ts'
import type { DamageNote } from './damage.ts'

/** Damage in a block that could be opened. */
export function noteOfBlock({ block, page, what, series, mint, maxt }: BlockDamage): DamageNote {
  const about = series === '' ? {} : { series: [series] }
  const name = block.slice(block.lastIndexOf('/') + 1)
  return { place: `blocks/${name}`, what: page === '' ? what : `${page}: ${what}`, mint, maxt, ...about }
}

/** A block that cannot be opened at all. */
export function unreadableNote(id: number, error: unknown): DamageNote {
  const what = error instanceof Error ? error.message : String(error)
  return { place: `blocks/${blockName(id)}`, what }
}
