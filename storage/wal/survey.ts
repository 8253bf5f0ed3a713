/** Goes over all pages of the log in the order of their keys, and finds those that are damaged or missing. */
import { StorageError } from '../errors.ts'
import type { KeyRange, Page, Store } from '../store.ts'
import { readFillIn, readOpening } from './generation-reader.ts'
import { isOldestKey, readOldest } from './oldest.ts'
import { checkPage, parsePageKey } from './record.ts'

/** Everything in the database. */
const ALL_KEYS: KeyRange = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff) }

export interface LoggedGeneration {
  number: number
  /** Pages with their numbers from 0 on. */
  pageCount: number
}

/** Pages that are not there, [firstPage, finalPage]. */
export interface Gap {
  generation: number
  firstPage: number
  finalPage: number
}

export class Survey {
  /** Ascending. */
  readonly generations: LoggedGeneration[] = []
  readonly gaps: Gap[] = []
  /** Pages that are no pages, a sentence each. */
  readonly damage: string[] = []

  private oldest: number | undefined

  /** Takes the next page. Throws NEWER_FORMAT. */
  add(page: Page): void {
    try {
      if (isOldestKey(page.key)) {
        this.oldest = readOldest(page)
        return
      }
      const { generation, page: number } = parsePageKey(page.key)
      let isGood = true
      try {
        checkPage(page)
      } catch (error) {
        this.note(error)
        isGood = false
      }
      this.place(page, generation, number, isGood)
    } catch (error) {
      this.note(error)
    }
  }

  private note(error: unknown): void {
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    this.damage.push(error.message)
  }

  /** All pages were shown. */
  end(): void {
    if (this.oldest === undefined) this.damage.push('the record of the oldest generation is missing')
  }

  private place(page: Page, number: number, pageNumber: number, isGood: boolean): void {
    let current = this.generations.at(-1)
    if (current === undefined || current.number !== number) {
      if (pageNumber === 0 && isGood) this.checkOpening(page)
      current = { number, pageCount: 0 }
      this.generations.push(current)
    }
    if (pageNumber > current.pageCount) {
      this.gaps.push({ generation: number, firstPage: current.pageCount, finalPage: pageNumber - 1 })
    }
    const finalPage = isGood ? finalPageOf(page) : undefined
    current.pageCount = (finalPage ?? pageNumber) + 1
  }

  /** Compares what is there of the generations before with what this first page of the next one says of them. */
  private checkOpening(page: Page): void {
    const opening = readOpening(page)
    if (opening === undefined) return
    const { generation: before, pageCount } = opening
    const newest = this.generations.at(-1)
    if (newest?.number === before) this.checkTail(newest, pageCount)
    // Every generation has a page, since it begins with one that says so.
    for (let number = this.firstMissing(before); number <= before; number++) {
      const missing = { number, pageCount: 0 }
      this.generations.push(missing)
      this.checkTail(missing, number === before ? pageCount : 1)
    }
  }

  /** The first generation up to `before` that ought to be there and was not seen. */
  private firstMissing(before: number): number {
    const newest = this.generations.at(-1)
    if (newest !== undefined) return newest.number + 1
    if (this.oldest === undefined) return before + 1
    return this.oldest === 0 ? before : this.oldest
  }

  private checkTail(generation: LoggedGeneration, pageCount: number): void {
    if (generation.pageCount >= pageCount) return
    this.gaps.push({
      generation: generation.number,
      firstPage: generation.pageCount,
      finalPage: pageCount - 1,
    })
    generation.pageCount = pageCount
  }
}

/** Surveys a database. What cannot be read at all is damage. Throws NEWER_FORMAT. */
export async function surveyLog(store: Store): Promise<Survey> {
  const survey = new Survey()
  try {
    for await (const pages of store.scan(ALL_KEYS)) for (const page of pages) survey.add(page)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'NEWER_FORMAT') throw error
    survey.damage.push(`it cannot be read to its end: ${String(error)}`)
  }
  survey.end()
  return survey
}

/** The last page that a page stands for, where it stands for lost ones. */
function finalPageOf(page: Page): number | undefined {
  try {
    return readFillIn(page)?.finalPage
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    // The reading of its generation tells of it.
    return undefined
  }
}
