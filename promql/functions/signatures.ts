/** Names and types of all functions of the language; what they compute is found elsewhere. */
import type { ValueType } from '../syntax/ast.ts'

export interface Signature {
  readonly name: string
  readonly argTypes: readonly ValueType[]
  /**
   * 0: exactly `argTypes`. n > 0: the last of `argTypes` may be left out, or given up to n times in all.
   * −1: the last may be left out, or repeated without bound.
   */
  readonly variadic: number
  readonly returnType: ValueType
  /** Refused unless experimental functions are enabled. */
  readonly experimental: boolean
}

type Row = readonly [names: string, args: string, variadic?: number, returnType?: ValueType]

const TYPES: Readonly<Record<string, ValueType>> = { s: 'scalar', v: 'vector', m: 'matrix', t: 'string' }

/** Names, then argument types by letter: s scalar, v instant vector, m range vector, t string. */
const STABLE: readonly Row[] = [
  ['abs ceil floor exp sqrt ln log2 log10 sgn', 'v'],
  ['sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad', 'v'],
  ['absent timestamp sort sort_desc', 'v'],
  ['histogram_count histogram_sum histogram_avg histogram_stddev histogram_stdvar', 'v'],
  ['absent_over_time present_over_time count_over_time first_over_time last_over_time', 'm'],
  ['sum_over_time avg_over_time min_over_time max_over_time stddev_over_time stdvar_over_time', 'm'],
  ['rate increase delta irate idelta resets changes deriv', 'm'],
  ['quantile_over_time', 'sm'],
  ['predict_linear', 'ms'],
  ['clamp', 'vss'],
  ['clamp_min clamp_max', 'vs'],
  ['round', 'vs', 1],
  ['histogram_quantile', 'sv'],
  ['histogram_fraction', 'ssv'],
  ['label_replace', 'vtttt'],
  ['label_join', 'vttt', -1],
  ['minute hour day_of_week day_of_month day_of_year days_in_month month year', 'v', 1],
  ['scalar', 'v', 0, 'scalar'],
  ['vector', 's', 0, 'vector'],
  ['time pi', '', 0, 'scalar'],
]

const EXPERIMENTAL: readonly Row[] = [
  ['mad_over_time', 'm'],
  ['ts_of_min_over_time ts_of_max_over_time ts_of_first_over_time ts_of_last_over_time', 'm'],
  ['double_exponential_smoothing', 'mss'],
  ['histogram_quantiles', 'vtss', 9],
  ['sort_by_label sort_by_label_desc', 'vt', -1],
  ['info', 'vv', 1],
  ['start_timestamp', 'v'],
  ['start end step range', '', 0, 'scalar'],
  ['max_of min_of', 'ss', 0, 'scalar'],
]

function* expand(rows: readonly Row[], experimental: boolean): Generator<[string, Signature]> {
  for (const [names, args, variadic = 0, returnType = 'vector'] of rows) {
    const argTypes = [...args].map((letter) => TYPES[letter])
    for (const name of names.split(' ')) yield [name, { name, argTypes, variadic, returnType, experimental }]
  }
}

/** By name. Names are case-sensitive. */
export const SIGNATURES: ReadonlyMap<string, Signature> = new Map([
  ...expand(STABLE, false),
  ...expand(EXPERIMENTAL, true),
])
