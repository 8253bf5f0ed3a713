// Goal: pages give back what was put in, and damage of any byte is noticed. Method: random pages, then every
// byte of a page flipped in turn.
import { describe, expect, it } from 'vitest'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { Labels } from '../../../storage/model/labels.ts'
import {
  PageBuilder,
  type PageVisitor,
  pageKey,
  parsePageKey,
  readPage,
  type SampleBatch,
} from '../../../storage/wal/record.ts'
import { prng, testSeed } from '../../harness/prng.ts'

class Recorder implements PageVisitor {
  readonly lines: string[] = []
  series(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.lines.push(`series ${index} ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`)
  }
  sample(index: number, t: number, v: number, kind: number): void {
    this.lines.push(`sample ${index} ${t} ${Object.is(v, -0) ? '-0' : v} ${kind}`)
  }
}

function batchOf(rows: readonly (readonly [number, number, number, number])[]): SampleBatch {
  return {
    length: rows.length,
    index: Uint32Array.from(rows, ([index]) => index),
    t: Float64Array.from(rows, ([, t]) => t),
    v: Float64Array.from(rows, ([, , v]) => v),
    kind: Uint8Array.from(rows, ([, , , kind]) => kind),
  }
}

function bytesOf(labels: Record<string, string>): LabelBytes {
  const bytes = new LabelBytes()
  bytes.set(Labels.from(labels))
  return bytes
}

function recorded(page: { key: Uint8Array; value: Uint8Array }): string[] {
  const recorder = new Recorder()
  readPage(page, recorder)
  return recorder.lines
}

describe('pages of the write-ahead log', () => {
  it('keep series and samples in order, with or without kinds and one time', () => {
    const builder = new PageBuilder()
    builder.addSeries(0, bytesOf({ a: 'ä' }))
    builder.addSeries(1, bytesOf({ b: '', c: 'd' }))
    builder.addSamples(
      batchOf([
        [0, 5, 1, 0],
        [1, 5, -0, 0],
      ]),
      0,
      2,
    )
    builder.addSeries(7, bytesOf({ x: 'y' }))
    builder.addSamples(
      batchOf([
        [7, -6, 0, 1],
        [1, 7.5, Number.POSITIVE_INFINITY, 0],
      ]),
      0,
      2,
    )
    const page = builder.finish(pageKey(3, 9))
    expect(parsePageKey(page.key)).toEqual({ generation: 3, page: 9 })
    expect(recorded(page)).toEqual([
      'series 0 a\u00ff\u00c3\u00a4\u00ff',
      'series 1 c\u00ffd\u00ff',
      'sample 0 5 1 0',
      'sample 1 5 -0 0',
      'series 7 x\u00ffy\u00ff',
      'sample 7 -6 0 1',
      'sample 1 7.5 Infinity 0',
    ])
    expect(builder.isEmpty).toBe(true)
  })

  it('give back random content', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 50; run++) {
      const builder = new PageBuilder()
      const want: string[] = []
      for (let section = 0; section < random.int(1, 6); section++) {
        if (random.chance(0.4)) {
          const first = random.int(0, 1e6)
          for (let i = 0; i < random.int(1, 50); i++) {
            const labels = bytesOf({ n: 'v'.repeat(random.int(0, 300)) || 'x', m: String(i) })
            builder.addSeries(first + i, labels)
            const end = labels.ends[2 * labels.count - 1] + 1
            want.push(`series ${first + i} ${labels.bytes.toString('latin1', 0, end)}`)
          }
        } else {
          const t = random.int(0, 1e12)
          const rows = Array.from({ length: random.int(1, 6000) }, (_, i) => {
            const kind = random.chance(0.01) ? 1 : 0
            return [i, random.chance(0.5) ? t : t + i, random.next() * 1e9, kind] as const
          })
          const batch = batchOf(rows)
          for (let from = 0; from < batch.length; ) from = builder.addSamples(batch, from, batch.length)
          for (const row of rows) want.push(`sample ${row.join(' ')}`)
        }
      }
      expect(recorded(builder.finish(pageKey(1, run))), `SEED=${seed} run=${run}`).toEqual(want)
    }
  })

  it('notice every flipped byte, a cut end, and a page under another key', () => {
    const builder = new PageBuilder()
    builder.addSeries(0, bytesOf({ a: 'b' }))
    builder.addSamples(batchOf([[0, 1, 2, 1]]), 0, 1)
    const page = builder.finish(pageKey(1, 0))
    for (let i = 0; i < page.value.length; i++) {
      // Bytes 1–3 of the header are spare and not covered.
      if (i >= 1 && i <= 3) continue
      const value = page.value.slice()
      value[i] ^= 0x01
      expect(() => recorded({ key: page.key, value }), `byte ${i}`).toThrow(/damaged|format/)
    }
    for (let length = 0; length < page.value.length; length++) {
      expect(() => recorded({ key: page.key, value: page.value.slice(0, length) })).toThrow('damaged')
    }
    expect(() => recorded({ key: pageKey(1, 1), value: page.value })).toThrow(
      'page 1 of generation 1 is damaged: its checksum does not fit',
    )
  })
})
