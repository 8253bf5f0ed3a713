/** How many samples a few series of many have, as far as averages tell. */

/** Of a block or a generation; its times are closed. */
export interface SampleTotals {
  readonly series: number
  readonly samples: number
  readonly mint: number
  readonly maxt: number
}

/** Samples that `series` of its series have in [mint, maxt], if they are like the others. */
export function estimateSamples(totals: SampleTotals, series: number, mint: number, maxt: number): number {
  if (totals.series === 0) return 0
  const span = totals.maxt - totals.mint
  const overlap = Math.min(maxt, totals.maxt) - Math.max(mint, totals.mint)
  const share = span <= 0 ? 1 : Math.max(overlap, 0) / span
  return (totals.samples / totals.series) * series * share
}
