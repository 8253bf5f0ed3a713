// Goal: maps print in the order of Go's yaml.v2. Method: keys in the order in which Debian's Prometheus 2.42
// showed them as `params` in status/config.
import { describe, expect, it } from 'vitest'
import { compareYamlKeys } from '../../src/config/yaml-keys.ts'
import { prng, testSeed } from '../harness/prng.ts'

const RECORDED =
  '- _ 1 1- 1_ 10 100 105 1005 10b 1a 1b5 01 001 2é A Z a a-b a.b a_b a0 a00 a1 a9 a09b a10 a100 a1b a01 ab v1.2 v1.10 v2 x5 x05 x6 é éa'.split(
    ' ',
  )

describe('compareYamlKeys', () => {
  // The order is no order for every set: go-yaml's comparison is not transitive, so pairs are compared.
  it('agrees with every neighbour in the recorded order', () => {
    for (let i = 1; i < RECORDED.length; i++) {
      const pair = `${RECORDED[i - 1]} ${RECORDED[i]}`
      expect(Math.sign(compareYamlKeys(RECORDED[i - 1], RECORDED[i])), pair).toBe(-1)
      expect(Math.sign(compareYamlKeys(RECORDED[i], RECORDED[i - 1])), pair).toBe(1)
    }
  })

  it('sorts labels as they are used, from any order', () => {
    const ordered = ['_x', 'a', 'a1', 'a2', 'a10', 'ab', 'env', 'env_2', 'zone']
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 20; run++) {
      const shuffled = ordered
        .map((key) => ({ key, at: random.next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ key }) => key)
      expect(shuffled.sort(compareYamlKeys), `SEED=${seed} run=${run}`).toEqual(ordered)
    }
  })
})
