/**
 * The samples of one commit as bytes of the write-ahead log: differences to each series' value before.
 *
 *   varint  number of samples n, 1 ≤ n ≤ 4096
 *   u8      form of the times
 *   times   form 0: one for all, signed (a varint in zigzag) · form 1: n × signed, each the difference to the one before,
 *           the first to 0 · form 2: n × f64
 *   varint  number of runs of series indexes; a run: signed start − end of the run before (at first 0), varint length
 *   starts  only in a record with start timestamps: u8 form · form 0: runs of samples with one, until they are n: varint
 *           2 × c + 1 and varint length, or for a single one varint 2 × c; c = 0: none, unknown; else c − 1 = the
 *           difference to the one before that is known, at first to 0, in zigzag · form 1: n × f64, 0 = unknown
 *   values  codes, below, in the order of the samples
 *
 * Each code is a byte, with what follows it. Integers z are in zigzag: d = 0, −1, 1 … is z = 0, 1, 2 …
 *
 *   00–3f   the next 1 to 64 samples have the bits of their series' value before
 *   40–7f   z = low 6 bits                                 v = base + d
 *   80–9f   z = low 5 bits × 256 + the byte that follows    v = base + d
 *   a0–bf   the same                                       v = (round(base × 100) + d) / 100
 *   c0–e7   by rows of 8 with the scale s = 1, 100, 10^3, 10^6, 10^9: z in the low 3 bits + 1 bytes, little-endian
 *                                                          v = (round(base × s) + d) / s; with s = 1: base + d
 *   f0–f7   the low (low 3 bits + 1) bytes, little-endian, of the bits of v xor those of the base
 *   f8      stale marker          f9  histogram of integers          fa  histogram of floats (histogram-record.ts)
 *   fe      the next float is of the other mode             ff  the mode changes
 *
 * Two modes for the codes from 40 to f7: at first the base is the series' value before, in the same generation; in the
 * self-contained mode it is 0. A float whose series has no float before it in the generation, or another kind as its sample before, is
 * self-contained; and now and then another one is, so that a reader who lost a page finds its way again.
 */

import type { FloatHistogram } from '../model/histogram.ts'

/** Samples of one commit as columns; [0, length) counts. */
export interface SampleBatch {
  length: number
  /** Index of the series in the generation. */
  index: Uint32Array
  /** Unix milliseconds. */
  t: Float64Array
  /** For a histogram the index of it in `histograms`. */
  v: Float64Array
  kind: Uint8Array
  /** Start timestamps, Unix milliseconds, 0 = unknown. Empty as long as no sample has one. */
  st: Float64Array
  /** Value of the sample before it of the same series. Not looked at where `isKey` is 1 or the kind is no float. */
  lastV: Float64Array
  /**
   * 1 = written by itself: where the sample before it in this generation was no float or there is none, and as often
   * as the head wants; a lost page costs a series its floats up to the next one of these.
   */
  isKey: Uint8Array
  histograms: readonly FloatHistogram[]
}

/** Samples of one commit record at most. */
export const COMMIT_SAMPLES_MAX = 4096

export const TIMES_ONE = 0
export const TIMES_DELTAS = 1
export const TIMES_F64 = 2

export const STARTS_RUNS = 0
export const STARTS_F64 = 1

export const RUN_MAX = 0x40
export const INTEGER_SMALL = 0x40
export const INTEGER_MIDDLE = 0x80
export const HUNDREDTHS_MIDDLE = 0xa0
export const SCALED = 0xc0
export const BITS = 0xf0
export const STALE = 0xf8
export const HISTOGRAM = 0xf9
export const FLOAT_HISTOGRAM = 0xfa
export const OTHER_MODE_ONCE = 0xfe
export const OTHER_MODE = 0xff

export const SCALES = Float64Array.of(1, 100, 1e3, 1e6, 1e9)
export const SCALES_END = SCALED + 8 * SCALES.length
