// Goal: whoever asks sees what a query does, what it was expected to cost and what it cost. Method: the lines of a plan over
// a few series, times left out.
import { expect, it } from 'vitest'
import { newEngine, series, storageOf } from '../eval/fixture.ts'

const MINUTE = 60_000

async function explain(query: string): Promise<string[]> {
  const storage = await storageOf([
    series('m_total', { i: '1' }, [0, 1, 2, 3, 4, 5]),
    series('m_total', { i: '2' }, [0, 2, 4, 6, 8, 10]),
  ])
  const run = (options: { explain?: boolean }) =>
    newEngine().rangeQuery(storage, query, MINUTE, 5 * MINUTE, MINUTE, options)
  const result = await run({ explain: true })
  const plain = await run({})
  expect(plain.explain).toBeUndefined()
  expect(result.value).toEqual(plain.value)
  expect(result.samples).toEqual(plain.samples)
  return result.explain!.map((line) => line.replace(/\d+\.\d{3} ms/, '… ms'))
}

it('explains a query', async () => {
  expect(await explain('sum(rate(m_total[2m])) / count(rate(m_total[2m])) > bool scalar(m_total)')).toEqual([
    '5 steps of 60000 ms, 2 selections; expected at least 1.8 KiB and 450 units of work, had 135 B at most',
    'selection 0: {__name__="m_total"}, 1969-12-31T23:59:00.001Z to 1970-01-01T00:05:00.000Z: 2 series, some 12 samples',
    'selection 1: {__name__="m_total"}, 1969-12-31T23:56:00.001Z to 1970-01-01T00:05:00.000Z: 2 series, some 12 samples',
    'operator >: 1 series, 5 samples, … ms',
    '  operator / one-to-one ignoring (): 1 series, 5 samples, … ms',
    '    sum: 1 series, 5 samples, … ms (one of 2 in one pass)',
    '      rate()',
    '        range m_total[2m] of selection 0',
    '    count: 1 series, 5 samples, … ms (one of 2 in one pass)',
    '      rate(): 2 series, 10 samples, … ms',
    '        range m_total[2m] of selection 0',
    '  scalar()',
    '    selector m_total of selection 1: 2 series, 10 samples, … ms',
  ])
})

it('explains parts that do not change, and subqueries', async () => {
  const lines = await explain('max_over_time(m_total[2m:30s]) - m_total @ 60')
  expect(lines.slice(3)).toEqual([
    'operator - one-to-one ignoring (): 2 series, 10 samples, … ms',
    '  max_over_time(): 2 series, 10 samples, … ms',
    '    subquery of 120000 ms, 12 steps of 30000 ms',
    '      selector m_total of selection 0: 2 series, 22 samples, … ms',
    '  evaluated once, for all steps: 2 series, 10 samples, … ms',
    '    selector m_total @ 60.000 of selection 1: 2 series, 2 samples, … ms',
  ])
})
