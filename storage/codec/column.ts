/**
 * A column: floats of which every bit is kept, written in the cheapest of some ways.
 *
 *   u8  bits 0–4 argument, bits 5–7 mode; what follows depends on the mode. Where the argument is an exponent e (0 … 22)
 *       the numbers below are whole and a value is number / 10^e (see decimal.ts)
 *
 *   mode 0 constant    e: signed number. Argument 31: the value's 8 bytes
 *   mode 1 linear      e: signed first, signed step
 *   mode 2 frame       e: residuals of the numbers (residuals.ts)
 *   mode 3 delta       e: signed first, residuals of the differences (count − 1)
 *   mode 4 delta2      e: signed first, signed first difference, residuals of the differences' differences (count − 2)
 *   mode 5 runs        where values change, then a column of the values there, the first one included; it is not of mode 5.
 *                      Argument 0: a bitmap of count − 1 bits, bit i − 1 = value i is not value i − 1; bits in the order
 *                      of bit-pack.ts. Argument 1: varint number of changes, for each a varint: values between it and the
 *                      change before (the first one: values before it, less the first value)
 *   mode 6 bits        argument 0: xor.ts. Argument 1: u8 shift (0 … 31), residuals of the upper halves of the values' bits,
 *                      residuals of the lower halves >>> shift
 *   mode 7 exceptions  varint number of them, for each: varint as outliers in residuals.ts, 8 bytes of the value; then a
 *                      column of modes 0 … 4 with all values, those in the places of exceptions being meaningless
 */
export const MODE_CONSTANT = 0
export const MODE_LINEAR = 1
export const MODE_FRAME = 2
export const MODE_DELTA = 3
export const MODE_DELTA2 = 4
export const MODE_RUNS = 5
export const MODE_BITS = 6
export const MODE_EXCEPTIONS = 7

export const CONSTANT_RAW = 31
export const RUNS_BITMAP = 0
export const RUNS_LIST = 1
export const BITS_XOR = 0
export const BITS_HALVES = 1
