/** What a server shows of the pages of a CountingExporter, which is scraped as job `counting`. */
import { expect } from 'vitest'
import type { ApiClient, MatrixSeries } from './api-client.ts'

/** By series its samples, all that there are. */
export type Shown = Map<string, MatrixSeries['values']>

export async function everything(api: ApiClient): Promise<Shown> {
  const matrix = await api.matrix('{job="counting"}[1h]')
  return new Map(matrix.map(({ metric, values }) => [JSON.stringify(metric), values]))
}

/** The series whose values are the pages' numbers. */
export function counterOf(instance: string): string {
  return JSON.stringify({ __name__: 'scrapes_served_total', instance, job: 'counting' })
}

/** All that was shown before is shown after. */
export function expectAllOf(before: Shown, after: Shown, where: string): void {
  const missing: string[] = []
  for (const [metric, values] of before) {
    const kept = new Map(after.get(metric) ?? [])
    for (const [t, v] of values) if (kept.get(t) !== v) missing.push(`${metric} ${v} @ ${t}: ${kept.get(t)}`)
  }
  expect(missing, where).toEqual([])
}
