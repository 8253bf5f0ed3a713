/**
 * A YAML document read strictly: by its tree, so that every problem has a line and a column, and with the
 * types that Go's yaml.v2 gives to scalars (YAML 1.1: `yes` is true), so that a file means here what it means
 * upstream. Problems are collected, not thrown: a reader goes on with "not set" and finds the next one too.
 */

import type { Document, YAMLMap } from 'yaml'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  Scalar,
} from 'yaml'
import { quoteGo } from '../telemetry/quote.ts'
import { nearestName } from './nearest.ts'
import type { Problem } from './problem.ts'

/** Where a problem is shown: a node, or the offset of a character. */
export type Place = Node | number

const TRUE = /^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/
const FALSE = /^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/
const NULL = /^(|~|null|Null|NULL)$/
const INT = /^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)$/
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/

export class ConfigDocument {
  readonly problems: Problem[] = []
  /** Undefined when the file says nothing. */
  readonly root: Node | undefined
  private readonly counter = new LineCounter()
  private document: Document | undefined

  constructor(text: string) {
    const parsed = parseAllDocuments(text, {
      schema: 'failsafe',
      lineCounter: this.counter,
      uniqueKeys: false,
      prettyErrors: false,
    })
    const documents = Array.isArray(parsed) ? parsed : []
    for (const document of documents) {
      for (const error of document.errors) this.report(error.pos[0], `yaml: ${lowerFirst(error.message)}`)
    }
    const spoken = documents.slice(1).find((document) => !saysNull(document.contents as Node | null))
    if (spoken !== undefined)
      this.report(spoken.range[0], 'a second YAML document', 'one document in the file')
    this.document = documents[0] as Document | undefined
    const root = this.document?.contents as Node | null | undefined
    this.root = root == null || saysNull(root) ? undefined : root
  }

  report(place: Place, what: string, expected = ''): void {
    const offset = typeof place === 'number' ? place : place.range![0]
    const { line, col } = this.counter.linePos(offset)
    this.problems.push({ line, column: col, what, expected })
  }

  lineOf(place: Node): number {
    return this.counter.linePos(place.range![0]).line
  }

  /** The node that an alias stands for; undefined when it stands for nothing. */
  resolve(node: Node): Node | undefined {
    return isAlias(node) ? node.resolve(this.document!) : node
  }

  /** Undefined for null and for what is not a list, which is reported. Null items stay, as undefined. */
  list(node: Node | undefined, type: string): { node: Node; isNull: boolean }[] | undefined {
    const target = this.present(node)
    if (target === undefined) return undefined
    if (!isSeq(target)) {
      this.report(node!, `cannot unmarshal ${describe(target)} into ${type}`, 'a list')
      return undefined
    }
    return (target.items as Node[]).map((item) => ({ node: item, isNull: this.present(item) === undefined }))
  }

  /** The node behind aliases; undefined for null. */
  present(node: Node | undefined): Node | undefined {
    if (node === undefined) return undefined
    const target = this.resolve(node)
    return target === undefined || saysNull(target) ? undefined : target
  }

  /**
   * The entries of a mapping by key, merge keys (`<<`) worked in. Keys that are written twice are reported.
   * Undefined for null and for what is not a mapping, which is reported.
   */
  entries(node: Node | undefined, type: string): Map<string, Entry> | undefined {
    const target = this.present(node)
    if (target === undefined) return undefined
    if (!isMap(target)) {
      this.report(node!, `cannot unmarshal ${describe(target)} into ${type}`, 'a mapping')
      return undefined
    }
    const entries = new Map<string, Entry>()
    const merged: Node[] = []
    for (const pair of target.items as Pair<Node, Node | null>[]) {
      const key = pair.key
      if (!isScalar(key)) {
        this.report(key, 'invalid map key', 'a plain name')
        continue
      }
      const name = key.source ?? ''
      if (name === '<<' && key.type === Scalar.PLAIN) {
        if (pair.value !== null) merged.push(pair.value)
        continue
      }
      const before = entries.get(name)
      if (before !== undefined) {
        this.report(key, alreadySet(name, type), `it once, as in line ${this.lineOf(before.key)}`)
      } else entries.set(name, { key, value: pair.value ?? undefined })
    }
    for (const source of merged) this.merge(entries, source, type, new Set([target]))
    return entries
  }

  /** What is merged in never overrides what is written out. */
  private merge(entries: Map<string, Entry>, source: Node, type: string, above: Set<Node>): void {
    const target = this.present(source)
    if (target === undefined || above.has(target)) return
    if (isSeq(target)) {
      for (const item of target.items as Node[]) this.merge(entries, item, type, new Set([...above, target]))
      return
    }
    if (!isMap(target)) {
      this.report(source, 'map merge requires map or sequence of maps as the value', 'an alias of a mapping')
      return
    }
    for (const [name, entry] of this.entries(target as YAMLMap as Node, type) ?? []) {
      if (!entries.has(name)) entries.set(name, entry)
    }
  }
}

export interface Entry {
  key: Node
  value: Node | undefined
}

/** Whether a node, aliases apart, is YAML's null. */
function saysNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.type === Scalar.PLAIN && NULL.test(node.source ?? ''))
}

/** A scalar as Go's yaml.v2 names it in its errors. */
export function describe(node: Node): string {
  if (isSeq(node)) return '!!seq'
  if (isMap(node)) return '!!map'
  const source = (node as Scalar).source ?? ''
  const shown = source.length > 10 ? `${source.slice(0, 7)}...` : source
  return `!!${scalarType(node as Scalar)} \`${shown}\``
}

function scalarType(scalar: Scalar): string {
  const source = scalar.source ?? ''
  if (scalar.type !== Scalar.PLAIN) return 'str'
  if (TRUE.test(source) || FALSE.test(source)) return 'bool'
  if (INT.test(source)) return 'int'
  return FLOAT.test(source) ? 'float' : 'str'
}

/** A key that is written twice: upstream words it by what the mapping is read into. */
function alreadySet(name: string, type: string): string {
  return type.startsWith('map[')
    ? `key ${quoteGo(name)} already set in map`
    : `field ${name} already set in ${type}`
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** Typed access to one mapping; every `undefined` means "not set", or set wrongly and reported. */
export class Section {
  readonly document: ConfigDocument
  /** For errors: the mapping itself. */
  readonly node: Node
  private readonly entries: ReadonlyMap<string, Entry>

  private constructor(document: ConfigDocument, node: Node, entries: ReadonlyMap<string, Entry>) {
    this.document = document
    this.node = node
    this.entries = entries
  }

  /** Undefined when the node says nothing, or is no mapping. `unknown` is asked about keys not in `known`. */
  static open(
    document: ConfigDocument,
    node: Node | undefined,
    type: string,
    known: readonly string[],
    placeOf: (key: string) => string | undefined = () => undefined,
  ): Section | undefined {
    const entries = document.entries(node, type)
    if (entries === undefined) return undefined
    for (const [name, entry] of entries) {
      if (known.includes(name)) continue
      document.report(
        entry.key,
        `field ${name} not found in ${type}`,
        expectedInstead(name, known, placeOf(name)),
      )
    }
    return new Section(document, node!, entries)
  }

  keys(): Iterable<string> {
    return this.entries.keys()
  }

  keyNode(key: string): Node {
    return this.entries.get(key)!.key
  }

  /** Undefined for an absent key and for null. */
  value(key: string): Node | undefined {
    const value = this.entries.get(key)?.value
    return this.document.present(value) === undefined ? undefined : value
  }

  report(key: string, what: string, expected = ''): void {
    const entry = this.entries.get(key)
    this.document.report(entry?.value ?? entry?.key ?? this.node, what, expected)
  }

  private scalar(key: string, type: string, expected: string): Scalar | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    const target = this.document.present(value)!
    if (isScalar(target)) return target
    this.document.report(value, `cannot unmarshal ${describe(target)} into ${type}`, expected)
    return undefined
  }

  /** Any scalar is a string: `job_name: 1` is the job "1". */
  string(key: string): string | undefined {
    const scalar = this.scalar(key, 'string', 'a string')
    return scalar === undefined ? undefined : String(scalar.value ?? '')
  }

  bool(key: string): boolean | undefined {
    const scalar = this.scalar(key, 'bool', 'true or false')
    if (scalar === undefined) return undefined
    const source = scalar.source ?? ''
    if (scalar.type === Scalar.PLAIN) {
      if (TRUE.test(source)) return true
      if (FALSE.test(source)) return false
    }
    this.report(key, `cannot unmarshal ${describe(scalar)} into bool`, 'true or false')
    return undefined
  }

  /** A whole number, 0 or more. */
  uint(key: string): number | undefined {
    return this.number(key, 'uint', 'a whole number, 0 or more', (n) => Number.isInteger(n) && n >= 0)
  }

  float(key: string): number | undefined {
    return this.number(key, 'float64', 'a number', () => true)
  }

  int(key: string): number | undefined {
    return this.number(key, 'int', 'a whole number', Number.isInteger)
  }

  private number(
    key: string,
    type: string,
    expected: string,
    isLegal: (value: number) => boolean,
  ): number | undefined {
    const scalar = this.scalar(key, type, expected)
    if (scalar === undefined) return undefined
    const value = readNumber(scalar)
    if (value !== undefined && isLegal(value)) return value
    this.report(key, `cannot unmarshal ${describe(scalar)} into ${type}`, expected)
    return undefined
  }

  /** What `parse` makes of the scalar's text; an Error it throws is reported with `expected`. */
  parsed<T>(key: string, parse: (text: string) => T, expected: string): T | undefined {
    const text = this.string(key)
    if (text === undefined) return undefined
    try {
      return parse(text)
    } catch (error) {
      this.report(key, (error as Error).message, expected)
      return undefined
    }
  }

  /** One of a few words. `what` words the problem. */
  choice<T extends string>(key: string, values: readonly T[], what: (text: string) => string): T | undefined {
    const text = this.string(key)
    if (text === undefined || text === '') return undefined
    if ((values as readonly string[]).includes(text)) return text as T
    this.report(key, what(text), `one of ${values.join(', ')}`)
    return undefined
  }

  /** A null item is the empty string, as upstream. */
  strings(key: string): string[] | undefined {
    return readStrings(this.document, this.value(key))
  }
}

/** A list of scalars as strings. Undefined for null; an item that is no scalar is reported and left out. */
export function readStrings(document: ConfigDocument, node: Node | undefined): string[] | undefined {
  const items = document.list(node, '[]string')
  if (items === undefined) return undefined
  const strings: string[] = []
  for (const item of items) {
    const target = document.present(item.node)
    if (target === undefined) strings.push('')
    else if (isScalar(target)) strings.push(String(target.value ?? ''))
    else document.report(item.node, `cannot unmarshal ${describe(target)} into string`, 'a string')
  }
  return strings
}

function readNumber(scalar: Scalar): number | undefined {
  if (scalar.type !== Scalar.PLAIN) return undefined
  const source = (scalar.source ?? '').replaceAll('_', '')
  const sign = source.startsWith('-') ? -1 : 1
  const digits = source.replace(/^[-+]/, '')
  if (/^0o?[0-7]+$/.test(digits)) return sign * Number.parseInt(digits.replace(/^0o?/, ''), 8)
  if (INT.test(source)) return sign * Number(digits)
  return FLOAT.test(source) ? Number(source) : undefined
}

function expectedInstead(name: string, known: readonly string[], belongs: string | undefined): string {
  if (belongs !== undefined) return `it in ${belongs}`
  const near = nearestName(name, known)
  return near === undefined ? `one of ${known.join(', ')}` : near
}
