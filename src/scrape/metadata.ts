/**
 * What a target says of its metrics in HELP, TYPE and UNIT lines. Kept for METADATA_SCRAPES scrapes after a metric
 * disappeared, so that a scrape that misses it does not make it a stranger.
 *
 * Many targets say the same, so the texts are kept once for all of them: a target has places, and in each a reference.
 */
import type { MetricMetadata } from './status.ts'

const METADATA_SCRAPES = 10

/** Never changed: what a metric says anew is another of these. */
interface SharedMetadata {
  readonly metric: string
  readonly said: Readonly<MetricMetadata>
}

/** The texts of all targets, each as long as a target has it. */
export class MetadataPool {
  private readonly byMetric = new Map<string, WeakRef<SharedMetadata>[]>()
  private readonly dropped = new FinalizationRegistry<string>((metric) => this.forgetDropped(metric))

  share(metric: string, type: string, help: string, unit: string): SharedMetadata {
    let variants = this.byMetric.get(metric)
    if (variants === undefined) {
      variants = []
      this.byMetric.set(metric, variants)
    }
    for (const variant of variants) {
      const known = variant.deref()
      if (known?.said.type === type && known.said.help === help && known.said.unit === unit) return known
    }
    const made: SharedMetadata = { metric, said: { type, help, unit } }
    variants.push(new WeakRef(made))
    this.dropped.register(made, metric)
    return made
  }

  private forgetDropped(metric: string): void {
    const left = (this.byMetric.get(metric) ?? []).filter((variant) => variant.deref() !== undefined)
    if (left.length === 0) this.byMetric.delete(metric)
    else this.byMetric.set(metric, left)
  }
}

export class MetadataCache {
  private readonly pool: MetadataPool
  /** A metric keeps its place; undefined where one is gone. */
  private readonly places: (SharedMetadata | undefined)[] = []
  private readonly holes: number[] = []
  /** By place: number of the last scrape that had the metric. */
  private readonly seenAt: number[] = []
  /** By place: how often its texts changed, modulo 2^16. */
  private readonly versions: number[] = []
  /** By place: how many metrics there were before it, gone ones too. */
  private readonly serials: number[] = []
  private nextSerial = 0
  /** Places by metric; made when a page says something new, and kept to its end. */
  private placeOf: Map<string, number> | undefined

  constructor(pool: MetadataPool) {
    this.pool = pool
  }

  get size(): number {
    return this.places.length - this.holes.length
  }

  /** As upstream counts it: characters of help, unit and type. */
  get bytes(): number {
    let bytes = 0
    for (const entry of this.places) {
      if (entry === undefined) continue
      const { type, help, unit } = entry.said
      bytes += type.length + help.length + unit.length
    }
    return bytes
  }

  get entries(): ReadonlyMap<string, MetricMetadata> {
    const { places, serials } = this
    const known = [...places.keys()].filter((place) => places[place] !== undefined)
    known.sort((a, b) => serials[a] - serials[b])
    return new Map(known.map((place) => [places[place]!.metric, places[place]!.said]))
  }

  /** Returns the metric's place, which it keeps as long as scrapes have it. */
  setType(metric: string, type: string, scrape: number): number {
    const place = this.place(metric, scrape)
    const { help, unit, type: before } = this.places[place]!.said
    if (type !== before) this.change(place, metric, type, help, unit)
    return place
  }

  setHelp(metric: string, help: string, scrape: number): number {
    const place = this.place(metric, scrape)
    const { type, unit, help: before } = this.places[place]!.said
    if (help !== before) this.change(place, metric, type, help, unit)
    return place
  }

  /** Another number, below 2^16, when other texts are at this place: lines that led to them may then say something new. */
  versionOf(place: number): number {
    return this.versions[place]
  }

  /** The scrape says again what is known of the metric at this place. */
  see(place: number, scrape: number): void {
    this.seenAt[place] = scrape
  }

  /** To be called at the end of each scrape. `isGood`: it succeeded and was not empty. */
  endScrape(scrape: number, isGood: boolean): void {
    this.placeOf = undefined
    if (!isGood) return
    for (let place = 0; place < this.places.length; place++) {
      if (this.places[place] === undefined || scrape - this.seenAt[place] <= METADATA_SCRAPES) continue
      this.places[place] = undefined
      this.holes.push(place)
    }
  }

  private place(metric: string, scrape: number): number {
    this.placeOf ??= this.findPlaces()
    let place = this.placeOf.get(metric)
    if (place === undefined) {
      place = this.holes.pop() ?? this.places.length
      this.versions[place] ??= 0
      this.change(place, metric, 'unknown', '', '')
      this.serials[place] = this.nextSerial++
      this.placeOf.set(metric, place)
    }
    this.seenAt[place] = scrape
    return place
  }

  private change(place: number, metric: string, type: string, help: string, unit: string): void {
    this.places[place] = this.pool.share(metric, type, help, unit)
    this.versions[place] = (this.versions[place] + 1) & 0xffff
  }

  private findPlaces(): Map<string, number> {
    const placeOf = new Map<string, number>()
    for (let place = 0; place < this.places.length; place++) {
      const entry = this.places[place]
      if (entry !== undefined) placeOf.set(entry.metric, place)
    }
    return placeOf
  }
}
