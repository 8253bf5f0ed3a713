/** Looks up label pairs in the postings pages of a block. */
import { compareUtf8 } from '../model/labels.ts'
import type { BlockPages } from './block-pages.ts'
import type { PostingsGroup } from './postings-page.ts'

/** A postings page is damaged: the answer has to come from the series pages. */
export class PostingsLost extends Error {}

/** Gets value i of a group. The same value may come several times, each time with further refs. */
export type ValueVisitor = (value: string, group: PostingsGroup, i: number) => void

export class PostingsIndex {
  private readonly pages: BlockPages

  constructor(pages: BlockPages) {
    this.pages = pages
  }

  /** All names, ascending. Throws PostingsLost. */
  names(): string[] {
    const { postings } = this.pages.directory
    const names: string[] = []
    for (let p = 0; p < postings.length; p++) {
      const name = postings[p].firstName
      // A page between two that begin with its name has no other one.
      if (p + 1 < postings.length && name === postings[p + 1].firstName) {
        if (names[names.length - 1] !== name) names.push(name)
        continue
      }
      for (const group of this.load(p).groups) {
        if (names[names.length - 1] !== group.name) names.push(group.name)
      }
    }
    return names
  }

  /** Number of values of the name, or more: what the pages that have the name hold. Reads no page. */
  valuesAtMost(name: string): number {
    const { postings } = this.pages.directory
    let count = 0
    for (let p = this.firstPage(name, ''); p < postings.length; p++) {
      if (compareUtf8(postings[p].firstName, name) > 0) break
      count += postings[p].entries
    }
    return count
  }

  /** Visits the values of a name that begin with `prefix`, ascending. Throws PostingsLost. */
  forEach(name: string, prefix: string, visit: ValueVisitor): void {
    const { postings } = this.pages.directory
    for (let p = this.firstPage(name, prefix); p < postings.length; p++) {
      if (compareUtf8(postings[p].firstName, name) > 0) return
      for (const group of this.load(p).groups) {
        if (group.name !== name) continue
        const { values } = group
        for (let i = group.seek(prefix); i < values.length; i++) {
          if (!values[i].startsWith(prefix)) return
          visit(values[i], group, i)
        }
      }
    }
  }

  /** Visits one pair's refs, in as many parts as they have. Throws PostingsLost. */
  find(name: string, value: string, visit: ValueVisitor): void {
    const { postings } = this.pages.directory
    for (let p = this.firstPage(name, value); p < postings.length; p++) {
      if (comparePair(postings[p].firstName, postings[p].firstValue, name, value) > 0) return
      for (const group of this.load(p).groups) {
        if (group.name !== name) continue
        const { values } = group
        for (let i = group.seek(value); i < values.length; i++) {
          if (values[i] !== value) return
          visit(value, group, i)
        }
      }
    }
  }

  /** The last page that begins before the pair: the first one that may have it. */
  private firstPage(name: string, value: string): number {
    const { postings } = this.pages.directory
    let low = 0
    let high = postings.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (comparePair(postings[middle].firstName, postings[middle].firstValue, name, value) < 0) low = middle
      else high = middle
    }
    return low
  }

  private load(p: number) {
    const page = this.pages.postingsPage(p)
    if (page === undefined) throw new PostingsLost()
    return page
  }
}

function comparePair(nameA: string, valueA: string, nameB: string, valueB: string): number {
  return nameA === nameB ? compareUtf8(valueA, valueB) : compareUtf8(nameA, nameB)
}
