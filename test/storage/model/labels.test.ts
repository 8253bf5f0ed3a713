// Goal: label sets sort by UTF-8 bytes and hold no empty value. Method: tables, and Buffer's comparison as the
// oracle of the order.
import { describe, expect, it } from 'vitest'
import {
  compareLabels,
  compareUtf8,
  isLegacyLabelName,
  isLegacyMetricName,
  isUtf8Name,
  Labels,
  LabelsBuilder,
} from '../../../storage/model/labels.ts'
import { prng, testSeed } from '../../harness/prng.ts'

describe('compareUtf8', () => {
  it('is the order of the bytes', () => {
    const seed = testSeed()
    const random = prng(seed)
    const alphabet = ['a', 'b', 'é', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}', '']
    const text = () => Array.from({ length: random.int(0, 4) }, () => random.pick(alphabet)).join('')
    for (let run = 0; run < 5_000; run++) {
      const [a, b] = [text(), text()]
      const want = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(Math.sign(compareUtf8(a, b)), `SEED=${seed} ${JSON.stringify([a, b])}`).toBe(want)
    }
  })
})

describe('Labels', () => {
  const labels = Labels.from({ b: '2', '\u{1f600}': '4', a: '1', empty: '', '\uffff': '3' })

  it('sorts by bytes and drops empty values', () => {
    expect(labels.pairs).toEqual(['a', '1', 'b', '2', '\uffff', '3', '\u{1f600}', '4'])
    expect(labels.size).toBe(4)
    expect(labels.toObject()).toEqual({ a: '1', b: '2', '\uffff': '3', '\u{1f600}': '4' })
  })

  it('finds values; an absent label is empty', () => {
    expect([labels.get('b'), labels.get('empty'), labels.get('1')]).toEqual(['2', '', ''])
    expect([labels.has('b'), labels.has('empty'), labels.has('1')]).toEqual([true, false, false])
  })

  it('keeps and drops names', () => {
    expect(labels.without(new Set(['a', 'x'])).pairs[0]).toBe('b')
    expect(labels.only(new Set(['a', 'x'])).pairs).toEqual(['a', '1'])
    expect(labels.without(new Set(['x']))).toBe(labels)
  })

  it('has keys that are equal for equal sets only', () => {
    expect(Labels.from({ b: '2', a: '1' }).key()).toBe(Labels.from({ a: '1', b: '2' }).key())
    const keys: Record<string, string>[] = [
      { a: 'b', c: 'd' },
      { a: 'bc', d: '' },
      { ab: 'c' },
      { a: 'bcd' },
      {},
    ]
    expect(new Set(keys.map((pairs) => Labels.from(pairs).key())).size).toBe(keys.length)
  })

  it('compares label by label, a prefix first', () => {
    const sets: Record<string, string>[] = [
      {},
      { a: '1' },
      { a: '1', b: '1' },
      { a: '1', c: '0' },
      { a: '\uffff' },
      { a: '😀' },
      { b: '0' },
    ]
    const sorted = sets.map((pairs) => Labels.from(pairs))
    for (let i = 0; i < sorted.length; i++) {
      for (let j = 0; j < sorted.length; j++) {
        expect(Math.sign(compareLabels(sorted[i], sorted[j]))).toBe(Math.sign(i - j))
      }
    }
  })
})

describe('LabelsBuilder', () => {
  it('sets, deletes and builds', () => {
    const builder = new LabelsBuilder(Labels.from({ a: '1', b: '2' }))
    builder.set('c', '3').set('a', '').delete('x')
    expect([builder.get('a'), builder.get('b'), builder.get('c')]).toEqual(['', '2', '3'])
    expect(builder.labels().pairs).toEqual(['b', '2', 'c', '3'])
    builder.reset(Labels.from({ z: '1' }))
    expect(builder.labels().pairs).toEqual(['z', '1'])
  })

  it('tells what was set from what the base had', () => {
    const builder = new LabelsBuilder(Labels.from({ a: '1', b: '2' }))
    builder.set('a', '1').set('c', '3').set('d', '4').delete('d')
    expect(['a', 'b', 'c', 'd', 'e'].filter((name) => builder.isSet(name))).toEqual(['a', 'c'])
    builder.reset(Labels.from({ a: '1' }))
    expect(builder.isSet('a')).toBe(false)
  })

  it('lists the base first, then what was set, by first setting', () => {
    const builder = new LabelsBuilder(Labels.from({ a: '1', b: '2', c: '3' }))
    builder.set('z', '1').set('a', '2').set('y', '1').set('z', '2').delete('c').set('c', '4').delete('y')
    expect(builder.names()).toEqual(['b', 'z', 'a', 'c'])
  })
})

describe('names', () => {
  it.each([
    ['a', true, true, true],
    ['_A1', true, true, true],
    ['a:b', false, true, true],
    ['1a', false, false, true],
    ['a.b', false, false, true],
    ['a\n', false, false, true],
    ['é😀', false, false, true],
    ['', false, false, false],
    ['a\ud800', false, false, false],
  ])('%j', (name, label, metric, utf8) => {
    expect([isLegacyLabelName(name), isLegacyMetricName(name), isUtf8Name(name)]).toEqual([
      label,
      metric,
      utf8,
    ])
  })
})
