/**
 * Label sets of series that were selected lately, by where they lie: a block and a ref, or a table and an index. What lies in a
 * place has the same labels for ever, so that a dashboard's queries make none anew; and the same series of several
 * places has one object, which is compared by its identity.
 */
import type { Labels } from './model/labels.ts'

/** Beyond so many bytes all are forgotten. */
const BYTES_MAX = 12 * 2 ** 20
/** Of a label set, whose texts are mostly others' too. */
const LABELS_BYTES = 300
/** Of a place that knows another one's. */
const ENTRY_BYTES = 40

export class LabelsCache {
  private readonly places = new Map<string, PlaceLabels>()
  private bytes = 0

  /** Those of one place; good until the next call of `place`. */
  place(name: string): PlaceLabels {
    if (this.bytes > BYTES_MAX) {
      this.places.clear()
      this.bytes = 0
    }
    let place = this.places.get(name)
    if (place === undefined) {
      place = new PlaceLabels((bytes) => {
        this.bytes += bytes
      })
      this.places.set(name, place)
    }
    return place
  }
}

export class PlaceLabels {
  private readonly labels = new Map<number, Labels>()
  /** How many of its own label sets it gave up for another place's, at most. */
  private given = 0
  private readonly onChange: (bytes: number) => void

  /** `onChange`: hears by how many bytes it grew. */
  constructor(onChange: (bytes: number) => void) {
    this.onChange = onChange
  }

  /** Labels of each position, made by `make` where they are not known. */
  all(positions: ArrayLike<number>, make: (position: number) => Labels): Labels[] {
    const { labels } = this
    const found: Labels[] = new Array(positions.length)
    for (let i = 0; i < found.length; i++) {
      let known = labels.get(positions[i])
      if (known === undefined) {
        known = make(positions[i])
        labels.set(positions[i], known)
        this.onChange(LABELS_BYTES + ENTRY_BYTES)
      }
      found[i] = known
    }
    return found
  }

  /** An equal object, to be given from now on. */
  replace(position: number, labels: Labels): void {
    this.labels.set(position, labels)
    // It may be told of one again and again, as other places come and go, and has only so many to give up.
    if (this.given === this.labels.size) return
    this.given++
    this.onChange(-LABELS_BYTES)
  }
}
