/** Functions of one float, and those of Go's math package where JavaScript's differ. */

const SCRATCH = new Float64Array(1)
const WORDS = new Uint32Array(SCRATCH.buffer)
/** log10(2), rounded once as Go's constant arithmetic does. */
const LOG10_2 = 0.3010299956639812

/** Go's math.Log2: exact for powers of two. */
export function log2(x: number): number {
  if (!(x > 0) || x === Infinity) return Math.log(x)
  let exponent = 0
  SCRATCH[0] = x
  if (WORDS[1] < 0x0010_0000) {
    // Subnormal: scale by 2^52 into the normal range.
    SCRATCH[0] = x * 2 ** 52
    exponent = -52
  }
  exponent += (WORDS[1] >>> 20) - 1022
  WORDS[1] = (WORDS[1] & 0x000f_ffff) | 0x3fe0_0000
  const fraction = SCRATCH[0]
  return fraction === 0.5 ? exponent - 1 : Math.log(fraction) * (1 / Math.LN2) + exponent
}

/**
 * Go's math.Exp2, not always the float nearest to 2^x: x = k + f with |f| ≤ 1/2, and e^(f·ln 2) by a rational approximation.
 * Source: FreeBSD msun e_exp.c, as in Go's math/exp.go.
 */
export function exp2(x: number): number {
  if (x < -1074) return 0
  if (!(x < 1024)) return x + Infinity
  const k = Math.trunc(x > 0 ? x + 0.5 : x - 0.5)
  const f = x - k
  const high = f * 0.6931471803691238
  const low = -f * 1.9082149292705877e-10
  const r = high - low
  const t = r * r
  const tail = 0.00006613756321437934 + t * (-0.0000016533902205465252 + t * 4.1381367970572385e-8)
  const c = r - t * (0.16666666666666666 + t * (-0.0027777777777015593 + t * tail))
  const y = 1 - (low - (r * c) / (2 - c) - high)
  // 2^1024 is no float, though y · 2^1024 may be one.
  return k > 1023 ? y * 2 * 2 ** (k - 1) : y * 2 ** k
}

/** Go's math.Log10. */
export function log10(x: number): number {
  return log2(x) * LOG10_2
}

/** Go's math.Pow: 1 to any power, NaN too, is 1, and so is −1 to ±Inf. */
export function pow(x: number, y: number): number {
  if (x === 1 || (x === -1 && (y === Infinity || y === -Infinity))) return 1
  return x ** y
}

/** Go's math.Max: +Inf wins over NaN, NaN over all else. */
export function max(x: number, y: number): number {
  return x === Infinity || y === Infinity ? Infinity : Math.max(x, y)
}

/** Go's math.Min: −Inf wins over NaN, NaN over all else. */
export function min(x: number, y: number): number {
  return x === -Infinity || y === -Infinity ? -Infinity : Math.min(x, y)
}

function sign(x: number): number {
  if (x < 0) return -1
  return x > 0 ? 1 : x
}

/** To the nearest multiple of `to`; ties go up. By the inverse of `to`, which errs less. */
export function round(x: number, to: number): number {
  const inverse = 1 / to
  return Math.floor(x * inverse + 0.5) / inverse
}

export function clamp(x: number, low: number, high: number): number {
  return max(low, min(high, x))
}

/** Functions of one vector that work sample by sample. */
export const FLOAT_FUNCTIONS: Readonly<Record<string, (x: number) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2,
  log10,
  sgn: sign,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (x) => (x * 180) / Math.PI,
  rad: (x) => (x * Math.PI) / 180,
}
