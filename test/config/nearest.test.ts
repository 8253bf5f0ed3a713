// Goal: a slip of the keyboard finds the name that was meant, and a wild guess finds none. Method: a table.
import { describe, expect, it } from 'vitest'
import { nearestName } from '../../src/config/nearest.ts'

const NAMES = ['scrape_interval', 'scrape_timeout', 'job_name', 'scheme', 'agent']

describe('nearestName', () => {
  it.each([
    { name: 'scrape_intervall', want: 'scrape_interval' },
    { name: 'scrap_interval', want: 'scrape_interval' },
    { name: 'scrape_itnerval', want: 'scrape_interval' },
    { name: 'jobname', want: 'job_name' },
    { name: 'schema', want: 'scheme' },
    { name: 'agnet', want: 'agent' },
    { name: 'job_name', want: 'job_name' },
    { name: 'completely_different', want: undefined },
    { name: 'x', want: undefined },
  ])('$name → $want', ({ name, want }) => {
    expect(nearestName(name, NAMES)).toBe(want)
  })
})
