/**
 * Label sets.
 *
 * A label set is a flat list `[name, value, name, value, …]`, sorted by the UTF-8 bytes of the names, without
 * duplicate names and without empty values (an empty value means that the label is absent). `__name__` is an
 * ordinary label. Immutable: whoever changes a set makes a new one, most easily through `LabelsBuilder`.
 */

export const METRIC_NAME = '__name__'

/**
 * Order of two strings by their UTF-8 bytes, which is the order of their code points.
 *
 * JavaScript's `<` compares UTF-16 units and sorts U+10000 and above (surrogates, 0xD800–0xDFFF) before
 * U+E000–U+FFFF. So at the first difference surrogates are moved above all other units.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000
    }
    return x - y
  }
  return a.length - b.length
}

export class Labels {
  static readonly EMPTY = new Labels([])

  /** Flat `[name, value, …]`; see the head of this file for what holds of it. */
  readonly pairs: readonly string[]

  /** Takes the list as it is. Requires: sorted, no duplicates, no empty values; the caller keeps no reference. */
  constructor(pairs: readonly string[]) {
    this.pairs = pairs
  }

  /** Sorts, and drops empty values. Names are unique because they are object keys. */
  static from(labels: Readonly<Record<string, string>>): Labels {
    const names = Object.keys(labels).filter((name) => labels[name] !== '')
    names.sort(compareUtf8)
    const pairs: string[] = []
    for (const name of names) pairs.push(name, labels[name])
    return new Labels(pairs)
  }

  get size(): number {
    return this.pairs.length / 2
  }

  /** The value, or '' when the label is absent. */
  get(name: string): string {
    const pairs = this.pairs
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]
    return ''
  }

  has(name: string): boolean {
    const pairs = this.pairs
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return true
    return false
  }

  /** Equal sets have equal keys and no others: the separator, a lone surrogate, is in no valid string. */
  key(): string {
    return this.pairs.join('\ud800')
  }

  /** The set without these names. */
  without(names: ReadonlySet<string>): Labels {
    return this.filter((name) => !names.has(name))
  }

  /** The set with only these names. */
  only(names: ReadonlySet<string>): Labels {
    return this.filter((name) => names.has(name))
  }

  private filter(keep: (name: string) => boolean): Labels {
    const pairs: string[] = []
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (keep(this.pairs[i])) pairs.push(this.pairs[i], this.pairs[i + 1])
    }
    return pairs.length === this.pairs.length ? this : new Labels(pairs)
  }

  toObject(): Record<string, string> {
    const object: Record<string, string> = {}
    for (let i = 0; i < this.pairs.length; i += 2) object[this.pairs[i]] = this.pairs[i + 1]
    return object
  }
}

/** Order of label sets: label by label (name, then value, by UTF-8 bytes); a prefix is smaller. */
export function compareLabels(a: Labels, b: Labels): number {
  const length = Math.min(a.pairs.length, b.pairs.length)
  for (let i = 0; i < length; i++) {
    if (a.pairs[i] === b.pairs[i]) continue
    return compareUtf8(a.pairs[i], b.pairs[i])
  }
  return a.pairs.length - b.pairs.length
}

/**
 * Edits a label set. `get` sees the edits made so far. `names` lists what is left of the base in its order, then
 * what was set, in the order of first setting; relabelling by name depends on it.
 */
export class LabelsBuilder {
  private readonly values = new Map<string, string>()
  /** Names that were set since the reset. */
  private readonly added = new Set<string>()

  constructor(base: Labels = Labels.EMPTY) {
    this.reset(base)
  }

  reset(base: Labels): void {
    this.values.clear()
    this.added.clear()
    for (let i = 0; i < base.pairs.length; i += 2) this.values.set(base.pairs[i], base.pairs[i + 1])
  }

  get(name: string): string {
    return this.values.get(name) ?? ''
  }

  /** Setting the empty value deletes. */
  set(name: string, value: string): this {
    if (value === '') return this.delete(name)
    if (!this.added.has(name)) {
      this.values.delete(name)
      this.added.add(name)
    }
    this.values.set(name, value)
    return this
  }

  delete(name: string): this {
    this.values.delete(name)
    this.added.delete(name)
    return this
  }

  /** Whether the label has its value since the reset, not from the base. */
  isSet(name: string): boolean {
    return this.added.has(name)
  }

  names(): string[] {
    return [...this.values.keys()]
  }

  labels(): Labels {
    const names = [...this.values.keys()].sort(compareUtf8)
    const pairs: string[] = []
    for (const name of names) pairs.push(name, this.values.get(name)!)
    return new Labels(pairs)
  }
}

/** Whether a name is valid where the legacy scheme is chosen: `[a-zA-Z_][a-zA-Z0-9_]*`. */
export function isLegacyLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)
}

/** Whether a metric name is valid where the legacy scheme is chosen: `[a-zA-Z_:][a-zA-Z0-9_:]*`. */
export function isLegacyMetricName(name: string): boolean {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)
}

/** Whether a name is valid where UTF-8 names are allowed: not empty, no lone surrogate. */
export function isUtf8Name(name: string): boolean {
  return name !== '' && name.isWellFormed()
}
