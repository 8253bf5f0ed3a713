/** Mean and variance of a native histogram. Source: Prometheus promql/functions.go histogramVariance. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { isCustom } from './bounds.ts'
import { allBuckets } from './buckets.ts'

export function histogramAverage({ sum, count }: FloatHistogram): number {
  return sum / count
}

/** Every observation is taken to lie in the middle of its bucket: by logarithms where buckets grow exponentially. */
export function histogramVariance(histogram: FloatHistogram): number {
  const mean = histogramAverage(histogram)
  const { lower, upper, count } = allBuckets(histogram)
  let sum = 0
  let c = 0
  for (let b = 0; b < count.length; b++) {
    if (count[b] === 0) continue
    const delta = middleOf(histogram, lower[b], upper[b]) - mean
    const x = count[b] * delta * delta
    const next = sum + x
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) c = 0
    else c += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum
    sum = next
  }
  return (sum + c) / histogram.count
}

function middleOf(histogram: FloatHistogram, lower: number, upper: number): number {
  if (isCustom(histogram)) return (upper + lower) / 2
  if (lower <= 0 && upper >= 0) return 0
  return upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower)
}

export function histogramDeviation(histogram: FloatHistogram): number {
  return Math.sqrt(histogramVariance(histogram))
}
