// Goal: a large page holds up neither small ones nor timers. Method: jobs that use up each of their slices.
import { describe, expect, it } from 'vitest'
import { Slices } from '../../src/scrape/slices.ts'

/** Uses up `count` slices. */
function greedy(count: number): (deadlineMs: number) => boolean {
  let left = count
  return (deadlineMs) => {
    while (performance.now() < deadlineMs);
    left--
    return left > 0
  }
}

describe('Slices', () => {
  it('lets a small job end while a large one runs, and timers between slices', async () => {
    const slices = new Slices()
    const events: string[] = []
    const large = slices.run(greedy(20)).then(() => events.push('large'))
    const small = slices.run(() => false).then(() => events.push('small'))
    setTimeout(() => events.push('timer'), 1)
    await Promise.all([large, small])
    expect(events.at(-1)).toBe('large')
    expect(events.slice(0, 2).sort()).toEqual(['small', 'timer'])
  })

  it('a job that throws rejects, and the others go on', async () => {
    const slices = new Slices()
    const broken = slices.run(() => {
      throw new Error('broken')
    })
    const good = slices.run(greedy(2))
    await expect(broken).rejects.toThrow('broken')
    await good
    await slices.run(greedy(1))
  })
})
