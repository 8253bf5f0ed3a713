// Goal: the engine answers as the interpreter does, whatever is asked. Method: some thousand random queries over random
// data, with all feature flags off and all on; a difference is shrunk and shown as a script. The seeds are fixed, so that what
// one change breaks is told from what chance finds: that is for `npm run fuzz`. `SEED` takes another one,
// `FUZZ_SECONDS` makes a run longer. And the interpreter itself answers as the project's scripts say.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fuzzPromql } from '../harness/fuzz/promql-fuzz.ts'
import { interpretScript } from '../harness/interpreter/script.ts'
import { testSeed } from '../harness/prng.ts'
import { findScripts } from '../harness/promqltest-cli.ts'

const SECONDS =
  process.env.FUZZ_SECONDS === undefined ? Number.POSITIVE_INFINITY : Number(process.env.FUZZ_SECONDS)
const COUNT = process.env.FUZZ_SECONDS === undefined ? 4000 : Number.POSITIVE_INFINITY

describe('the engine', () => {
  it.each([
    ['without features', false, 1_000_000],
    ['with all features', true, 2_012_000],
  ])(
    'answers as the interpreter does, %s',
    async (_, hasFeatures, fixedSeed) => {
      const seed = process.env.SEED === undefined ? fixedSeed : testSeed()
      console.log(`seed ${seed}`)
      const { differences, answered } = await fuzzPromql({
        seed,
        count: COUNT,
        seconds: SECONDS / 2,
        hasFeatures,
        hasHistograms: true,
        differencesMax: 3,
      })
      expect(differences, `seed ${seed}`).toStrictEqual([])
      expect(answered).toBeGreaterThan(0)
    },
    600_000,
  )
})

describe('the interpreter', () => {
  it.each(findScripts('test/promql/testdata'))('answers as %s says', (file) => {
    const { passed, failures } = interpretScript(readFileSync(file, 'utf8'))
    expect(failures).toStrictEqual([])
    expect(passed).toBeGreaterThan(0)
  })
})
