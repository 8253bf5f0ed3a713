/** How many series have which labels: what makes a storage large. */
import { type Labels, METRIC_NAME } from './labels.ts'

export interface NamedCount {
  name: string
  count: number
}

/** Each list has the largest first, those of equal count by name. */
export interface Cardinality {
  series: number
  /** Different pairs of a label name and a value. */
  labelPairs: number
  seriesByMetric: NamedCount[]
  valuesByLabel: NamedCount[]
  /** Bytes of a label in all series that have it: see `labelBytes`. */
  bytesByLabel: NamedCount[]
  /** The name is `label=value`. */
  seriesByPair: NamedCount[]
}

/**
 * The `limit` largest counts, those of 0 left out. `nameOf` is asked for these only. Of those that are equal at the end of
 * the list the first ones are taken.
 */
export function topCounts(
  counts: Float64Array,
  limit: number,
  nameOf: (position: number) => string,
): NamedCount[] {
  const sorted = counts.slice().sort()
  const least = Math.max(1, sorted[Math.max(0, sorted.length - limit)] ?? 1)
  const chosen: number[] = []
  for (let i = 0; i < counts.length; i++) if (counts[i] > least) chosen.push(i)
  for (let i = 0; i < counts.length && chosen.length < limit; i++) if (counts[i] === least) chosen.push(i)
  return chosen
    .map((position) => ({ name: nameOf(position), count: counts[position] }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}

/**
 * Bytes that a label takes in one series, as upstream counts: name and value by their UTF-8 bytes, each with its length.
 *
 * Source: Prometheus model/labels/labels_stringlabels.go, SizeOfLabels.
 */
export function labelBytes(nameBytes: number, valueBytes: number): number {
  return withLength(nameBytes) + withLength(valueBytes)
}

function withLength(bytes: number): number {
  return bytes + (bytes < 255 ? 1 : 4)
}

/** Counts label sets one by one: for tools and tests, not for millions of series. */
export class LabelCounter {
  private series = 0
  private readonly valuesOf = new Map<string, Map<string, number>>()

  add({ pairs }: Labels): void {
    this.series++
    for (let i = 0; i < pairs.length; i += 2) {
      let values = this.valuesOf.get(pairs[i])
      if (values === undefined) {
        values = new Map()
        this.valuesOf.set(pairs[i], values)
      }
      values.set(pairs[i + 1], (values.get(pairs[i + 1]) ?? 0) + 1)
    }
  }

  result(limit: number): Cardinality {
    const names = [...this.valuesOf.keys()]
    const ofName = (name: string) => [...(this.valuesOf.get(name) ?? [])]
    const pairs = names.flatMap((name) => ofName(name).map(([value, count]) => [`${name}=${value}`, count]))
    const bytes = (name: string): number =>
      ofName(name).reduce(
        (sum, [value, count]) => sum + count * labelBytes(Buffer.byteLength(name), Buffer.byteLength(value)),
        0,
      )
    const top = (entries: (readonly [string, number])[]): NamedCount[] =>
      topCounts(
        Float64Array.from(entries, ([, count]) => count),
        limit,
        (i) => entries[i][0],
      )
    return {
      series: this.series,
      labelPairs: pairs.length,
      seriesByMetric: top(ofName(METRIC_NAME)),
      valuesByLabel: top(names.map((name) => [name, ofName(name).length])),
      bytesByLabel: top(names.map((name) => [name, bytes(name)])),
      seriesByPair: top(pairs as [string, number][]),
    }
  }
}
