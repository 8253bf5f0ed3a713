/** What the interpreter computes with: elements, vectors of one step, and what is known while a query runs. */
import type { Labels } from '../../../storage/model/labels.ts'
import type { DataSet } from './data-set.ts'
import type { NaiveHistogram } from './histogram.ts'
import type { Notes } from './notes.ts'

export type Value = number | NaiveHistogram

/** One sample of an instant vector. */
export interface Element {
  readonly labels: Labels
  /** The name goes at the end of the query. */
  readonly dropName: boolean
  readonly value: Value
  /** When the sample was taken; only `timestamp` and info joins look at it. */
  readonly t: number
}

export type Vector = readonly Element[]

/** One sample of a range vector. */
export interface WindowSample {
  readonly t: number
  readonly value: Value
  readonly startMs: number
}

/** The samples of one series in (startMs, endMs]; more on both sides where the selector is anchored or smoothed. */
export interface Window {
  readonly labels: Labels
  readonly dropName: boolean
  readonly samples: readonly WindowSample[]
  readonly startMs: number
  readonly endMs: number
}

export interface Settings {
  readonly lookbackMs: number
  readonly defaultSubqueryStepMs: number
  readonly delayedNameRemoval: boolean
  readonly typeAndUnitLabels: boolean
  readonly useStartTimestamps: boolean
}

/** The times of a query as its user gave them. */
export interface QueryTimes {
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
}

/** What is the same in all parts of a query's run. */
export interface Run {
  readonly data: DataSet
  readonly settings: Settings
  readonly times: QueryTimes
  readonly notes: Notes
}

/** The times at which an expression is evaluated: those of the query, or of a subquery. */
export interface Scope {
  readonly run: Run
  readonly times: readonly number[]
  /** Whether they are those of the query. */
  readonly isWhole: boolean
}

/** What an expression gives, step by step of its scope. */
export type Outcome =
  | { readonly type: 'scalar'; readonly values: readonly number[] }
  | { readonly type: 'vector'; readonly steps: readonly Vector[] }
  | { readonly type: 'string'; readonly value: string }

/** An error of the query, with upstream's text. */
export class InterpreterError extends Error {}

/** The language does not say what the result is: equal values at the border of a choice, and the like. */
export class UndefinedResult extends Error {}

export const DUPLICATE_LABEL_SET = 'vector cannot contain metrics with the same labelset'

export function isHistogram(value: Value): value is NaiveHistogram {
  return typeof value !== 'number'
}
