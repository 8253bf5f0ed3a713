/**
 * The order in which samples of blocks arrived: at equal times of one series the earliest arrival counts.
 *
 * Samples arrive in generations, and a block holds those of some of them, [firstGeneration, finalGeneration]. Blocks that were
 * written from one generation share no sample. What must hold of all blocks together: where two of them overlap in time,
 * they are in order, as `areInOrder` says. Then `compareArrival` sorts them so that a sample of an earlier block wins.
 */

export interface Arrived {
  id: number
  /** Both inclusive. */
  firstGeneration: number
  finalGeneration: number
}

/** Real first and last time, both inclusive. */
export interface Span {
  mint: number
  maxt: number
}

/** Earlier arrivals first. */
export function compareArrival(a: Arrived, b: Arrived): number {
  return a.firstGeneration - b.firstGeneration || a.finalGeneration - b.finalGeneration || a.id - b.id
}

/**
 * Whether one of the two arrived before the other as a whole. To meet in one generation is in order: of that one they
 * hold different samples.
 */
export function areInOrder(
  a: Pick<Arrived, 'firstGeneration' | 'finalGeneration'>,
  b: Pick<Arrived, 'firstGeneration' | 'finalGeneration'>,
): boolean {
  return a.finalGeneration <= b.firstGeneration || b.finalGeneration <= a.firstGeneration
}

export function overlap(a: Span, b: Span): boolean {
  return a.mint <= b.maxt && b.mint <= a.maxt
}
