// Goal: names that hang cannot hold up the rest. Method: a resolver that the test answers by hand.
import type { LookupAddress } from 'node:dns'
import { describe, expect, it } from 'vitest'
import { HostLookup } from '../../src/http/host-lookup.ts'

type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

class Resolver {
  readonly asked: string[] = []
  private readonly waiting = new Map<string, Done>()
  readonly hosts = new HostLookup((hostname, done) => {
    this.asked.push(hostname)
    this.waiting.set(hostname, done)
  })

  answer(hostname: string, error: NodeJS.ErrnoException | null = null): void {
    const done = this.waiting.get(hostname)!
    this.waiting.delete(hostname)
    done(
      error,
      error === null
        ? [
            { address: '10.0.0.1', family: 4 },
            { address: '::1', family: 6 },
          ]
        : [],
    )
  }

  ask(hostname: string, options = {}): Promise<unknown> {
    return new Promise((resolve) => {
      this.hosts.lookup(hostname, options, (error, address) => resolve(error?.code ?? address))
    })
  }
}

function notFound(): NodeJS.ErrnoException {
  return Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
}

describe('HostLookup', () => {
  it('asks once for all who want a name at the same time, and keeps the answer for a moment', async () => {
    const resolver = new Resolver()
    const both = [resolver.ask('a'), resolver.ask('a', { all: true }), resolver.ask('a', { family: 6 })]
    resolver.answer('a')
    expect(await Promise.all(both)).toEqual([
      '10.0.0.1',
      [
        { address: '10.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ],
      '::1',
    ])
    expect(await resolver.ask('a')).toBe('10.0.0.1')
    expect(resolver.asked).toEqual(['a'])
  })

  it('does not keep failures', async () => {
    const resolver = new Resolver()
    const first = resolver.ask('a')
    resolver.answer('a', notFound())
    expect(await first).toBe('ENOTFOUND')
    const second = resolver.ask('a')
    resolver.answer('a')
    expect(await second).toBe('10.0.0.1')
  })

  it('runs three lookups at a time, and names that failed before get one of these places', async () => {
    const resolver = new Resolver()
    for (const name of ['bad1', 'bad2', 'bad3']) {
      const failed = resolver.ask(name)
      resolver.answer(name, notFound())
      await failed
    }
    resolver.asked.length = 0
    for (const name of ['bad1', 'bad2', 'bad3', 'good1', 'good2', 'good3']) void resolver.ask(name)
    expect(resolver.asked).toEqual(['bad1', 'good1', 'good2'])
    resolver.answer('good1')
    resolver.answer('good2')
    expect(resolver.asked).toEqual(['bad1', 'good1', 'good2', 'good3'])
    resolver.answer('bad1')
    expect(resolver.asked).toEqual(['bad1', 'good1', 'good2', 'good3', 'bad2'])
  })
})
