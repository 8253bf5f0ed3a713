/**
 * Histograms of staged samples: u32 bytes, u32 0, then a chunk of that one sample at time 0. The value in the row is the
 * record's address.
 */
import { ByteWriter } from '../codec/byte-writer.ts'
import { decodeChunk, encodeChunk } from '../codec/chunk.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import { type HistogramKind, SampleColumns } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { GenerationWriter } from './generation.ts'

const scratch = new SampleColumns(4)
const encodedBytes = new ByteWriter(1024)

/** Encodes a histogram as its record has it; the bytes are good until the next call. */
export function encodeHistogram(histogram: FloatHistogram, kind: HistogramKind): ByteWriter {
  scratch.clear()
  scratch.pushHistogram(0, histogram, kind)
  encodedBytes.clear()
  encodeChunk(scratch, 0, 1, encodedBytes)
  return encodedBytes
}

/** Writer. Puts an encoded histogram into the generation; its address. Throws NO_MEMORY. */
export function storeHistogram(generation: GenerationWriter, encoded: ByteWriter): number {
  const { u8, u32 } = generation.slab
  const at = generation.heap.take(histogramWords(encoded.length))
  u32[at * 2] = encoded.length
  for (let i = 0; i < encoded.length; i++) u8[(at + 1) * 8 + i] = encoded.bytes[i]
  return at
}

/** Writer. A copy of a record of any generation; its address. Throws NO_MEMORY. */
export function copyHistogram(to: GenerationWriter, fromAt: number): number {
  const { u32, u8 } = to.slab
  const length = u32[fromAt * 2]
  const at = to.heap.take(histogramWords(length))
  u32[at * 2] = length
  for (let i = 0; i < length; i++) u8[(at + 1) * 8 + i] = u8[(fromAt + 1) * 8 + i]
  return at
}

/** Writer. Frees a record that no row shows any more. */
export function releaseHistogram(generation: GenerationWriter, at: number): void {
  generation.heap.release(at, histogramWords(generation.slab.u32[at * 2]))
}

export function isSameHistogram(slab: Slab, at: number, encoded: ByteWriter): boolean {
  if (slab.u32[at * 2] !== encoded.length) return false
  for (let i = 0; i < encoded.length; i++) if (slab.u8[(at + 1) * 8 + i] !== encoded.bytes[i]) return false
  return true
}

/** What a record has; garbage when a reader came too late, which it finds out behind it. */
export function readHistogram(slab: Slab, at: number): FloatHistogram {
  scratch.clear()
  decodeChunk(slab.u8, (at + 1) * 8, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, scratch)
  return scratch.histograms[0]
}

function histogramWords(bytes: number): number {
  return 1 + ((bytes + 7) >>> 3)
}
