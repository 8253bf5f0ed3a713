/** A small seeded generator (mulberry32), so that a random test can be repeated from its seed. */

export interface Prng {
  /** In [0, 1). */
  next(): number
  /** An integer in [lo, hi], both inclusive. */
  int(lo: number, hi: number): number
  pick<T>(items: ArrayLike<T>): T
  /** True with probability p. */
  chance(p: number): boolean
}

export function prng(seed: number): Prng {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    int: (lo, hi) => lo + Math.floor(next() * (hi - lo + 1)),
    pick: (items) => items[Math.floor(next() * items.length)],
    chance: (p) => next() < p,
  }
}

/** The seed of this run: `SEED` from the environment, else a new one. */
export function testSeed(): number {
  return Number(process.env.SEED ?? Date.now() % 1e9)
}
