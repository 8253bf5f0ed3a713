/**
 * Floats that were decimal numbers: v = n / 10^e with a whole n, |n| ≤ 2^53, e ≤ 22. Both n and 10^e are exact then, so
 * that the division is correctly rounded and gives v again; multiplying by 10^−e would not.
 */

export const EXPONENT_MAX = 22

/** All of these are exact. */
export const POWERS_OF_TEN: Float64Array = Float64Array.from({ length: EXPONENT_MAX + 1 }, (_, e) =>
  Number(`1e${e}`),
)

const WHOLE_MAX = 2 ** 53
const CLOSE_MAX = 2 ** 50
const FEW_DIGITS = 2

/** Values that are decimals to `from` but need this many digits more than the others are set aside instead. */
const DIGITS_MORE_MAX = 3

/** Least e ≥ `least` for which the value is a decimal; −1 when there is none (as for −0, NaN and ±Inf). */
function exponentOf(value: number, least: number): number {
  if (value === 0) return 1 / value > 0 ? least : -1
  for (let e = least; e <= EXPONENT_MAX; e++) {
    const scaled = value * POWERS_OF_TEN[e]
    if (Math.round(scaled) / POWERS_OF_TEN[e] === value) return Math.abs(scaled) <= WHOLE_MAX ? e : -1
    // Where few digits will not do, many tell at once that none will: up to 2^50 the product is off by less than a half,
    // so that what is a decimal of fewer digits is one of these as well.
    if (e === least + FEW_DIGITS) {
      const most = exponentBelow(value, e)
      if (Math.round(value * POWERS_OF_TEN[most]) / POWERS_OF_TEN[most] !== value) e = most
    }
    if (!(Math.abs(scaled) < WHOLE_MAX)) return -1
  }
  return -1
}

/** Largest e ≥ `least` for which |value| × 10^e is under 2^50; `least` when it is not there already. */
function exponentBelow(value: number, least: number): number {
  const size = Math.abs(value)
  let e = least
  while (e < EXPONENT_MAX && size * POWERS_OF_TEN[e + 1] < CLOSE_MAX) e++
  return e
}

/** Values as decimals of one exponent. */
export class Decimals {
  exponent = 0
  /** n of each value; in the place of one that is none, that of its neighbour. */
  readonly n = new Float64Array(4096)
  /** Places of the values that are no decimals of this exponent, ascending. */
  readonly exceptions = new Uint16Array(4096)
  exceptionCount = 0

  /**
   * Takes values[from, from + count), count ≤ 4096. False when so many are no decimals that it does not pay; then
   * nothing of this is to be used. The exponent is the least that does for all but exceptions, as far as a few
   * values tell.
   */
  take(values: Float64Array, from: number, count: number): boolean {
    const exceptionsMax = count >>> 3
    let exponent = this.guess(values, from, count)
    if (exponent < 0) return false
    for (;;) {
      const failed = this.convert(values, from, count, exponent, exceptionsMax)
      if (failed === count) break
      if (failed < 0) return false
      exponent = exponentOf(values[from + failed], exponent + 1)
    }
    this.exponent = exponent
    if (this.exceptionCount > 0) this.fillExceptions(count)
    return true
  }

  private guess(values: Float64Array, from: number, count: number): number {
    const a = exponentOf(values[from], 0)
    const b = exponentOf(values[from + (count >>> 1)], Math.max(a, 0))
    const c = exponentOf(values[from + count - 1], Math.max(a, b, 0))
    if (c >= 0 && (c <= DIGITS_MORE_MAX || (a >= 0 && b >= 0))) return c
    // One of the three may be an exception; two are taken for the rule.
    if (a >= 0 && b >= 0) return b
    if (b >= 0 && c >= 0) return c
    return a >= 0 && c >= 0 ? c : -1
  }

  /** Returns count when done; the place of a value for which the exponent is to be raised; −1 to give up. */
  private convert(
    values: Float64Array,
    from: number,
    count: number,
    exponent: number,
    exceptionsMax: number,
  ): number {
    const n = this.n
    const power = POWERS_OF_TEN[exponent]
    this.exceptionCount = 0
    for (let i = 0; i < count; i++) {
      const value = values[from + i]
      const whole = Math.round(value * power)
      n[i] = whole
      if (
        whole / power === value &&
        whole <= WHOLE_MAX &&
        whole >= -WHOLE_MAX &&
        (value !== 0 || 1 / value > 0)
      ) {
        continue
      }
      const higher = exponentOf(value, exponent + 1)
      if (higher >= 0 && higher <= exponent + DIGITS_MORE_MAX) return i
      if (this.exceptionCount >= exceptionsMax) return higher >= 0 ? i : -1
      this.exceptions[this.exceptionCount++] = i
    }
    return count
  }

  private fillExceptions(count: number): void {
    const { n, exceptions, exceptionCount } = this
    let e = 0
    let good = 0
    while (good < count && e < exceptionCount && exceptions[e] === good) {
      e++
      good++
    }
    let last = n[good]
    for (let i = 0, k = 0; i < count; i++) {
      if (k < exceptionCount && exceptions[k] === i) {
        n[i] = last
        k++
      } else last = n[i]
    }
  }
}
